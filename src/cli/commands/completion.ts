import { TsrunError } from "../../base/errors.ts";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { manPage } from "../completion/man-page.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { print } from "../output.ts";
import type { CommandCall, CommandSpec } from "../table/types.ts";
import { tsrunVersion } from "../version.ts";

const SHELLS: Readonly<Record<string, (commands: readonly CommandSpec[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function run({ options, operands, commands }: CommandCall): void {
  if (options.flag("man")) {
    print(manPage(commands, tsrunVersion()));
    return;
  }
  const [shell] = operands;
  const completion = shell === undefined ? undefined : SHELLS[shell];
  if (!completion) {
    const problem =
      shell === undefined ? '"tsrun completion" needs a SHELL' : `no completion for "${shell}"`;
    throw new TsrunError("INVALID_ARGUMENT", problem, {
      hint: `Use one of ${Object.keys(SHELLS).join(", ")}.`,
    });
  }
  print(completion(commands));
}
