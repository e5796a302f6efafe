import { TsrunError } from "../../base/errors.ts";
import { completeImageName, promoteImage } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const { name, version } = parseVersion(operands[0] ?? "");
  const engine = openEngineFor(globals);
  const promoted = await promoteImage(engine, await completeImageName(engine, name), version);
  printLine(`${promoted.name}@${promoted.version}`);
}

/** NAME@VERSION. */
function parseVersion(text: string): { readonly name: string; readonly version: number } {
  const [, name, version] = /^(.+)@(\d{1,9})$/.exec(text) ?? [];
  if (name !== undefined) return { name, version: Number(version) };
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" does not say which version`, {
    hint: "Write NAME@VERSION with a number that `tsrun image history-of NAME` shows.",
  });
}
