import { TsrunError } from "../../base/errors.ts";
import { findCommand } from "../find-command.ts";
import { printCommandHelp, printProgramHelp } from "../help.ts";
import { suggestNearest } from "../suggest.ts";
import type { CommandCall, CommandSpec } from "../table/types.ts";

export function run({ operands, commands }: CommandCall): void {
  const found = findCommand(commands, operands);
  const family = operands.map((word) => `${word} `).join("");
  const members = commands.filter(({ name }) => name.startsWith(family));
  if (found) printCommandHelp(found.command);
  else if (members.length > 0) printProgramHelp(members);
  else throw unknownCommand(commands, operands.join(" "));
}

function unknownCommand(commands: readonly CommandSpec[], typed: string): TsrunError {
  const nearest = suggestNearest(
    typed,
    commands.map(({ name }) => name),
  );
  return new TsrunError("INVALID_ARGUMENT", `there is no command "${typed}"`, {
    hint: nearest ? `Did you mean \`tsrun help ${nearest}\`?` : "See `tsrun help`.",
  });
}
