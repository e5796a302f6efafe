/** Help, made from the table. */

import type { CommandSpec } from "./command.ts";
import type { FlagSpec } from "./parse-arguments.ts";
import { COMMANDS, GLOBAL_FLAGS } from "./table.ts";

export function programHelp(program: string): string {
  const names = COMMANDS.map(({ name, summary }) => [name, summary] as const);
  return [
    ...["NAME:", `   ${program} - run containers by OCI's runtime specification`, ""],
    ...["USAGE:", `   ${program} [global options] command [command options] [arguments...]`, ""],
    ...["COMMANDS:", ...columns([...names, ["help", "show help"]]), ""],
    ...["GLOBAL OPTIONS:", ...flagLines(GLOBAL_FLAGS), ""],
  ].join("\n");
}

export function commandHelp(command: CommandSpec, program: string): string {
  const options = command.flags.length > 0 ? "[command options] " : "";
  return [
    ...["NAME:", `   ${program} ${command.name} - ${command.summary}`, ""],
    ...["USAGE:", `   ${program} ${command.name} ${options}${command.usage}`.trimEnd(), ""],
    ...(command.flags.length > 0 ? ["OPTIONS:", ...flagLines(command.flags), ""] : []),
    "",
  ].join("\n");
}

function flagLines(flags: readonly FlagSpec[]): string[] {
  return columns(
    flags.map(({ name, short, kind, usage }) => {
      const operand = kind === "flag" ? "" : " value";
      return [`--${name}${operand}${short === undefined ? "" : `, -${short}${operand}`}`, usage];
    }),
  );
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `   ${left.padEnd(width)}  ${right}`);
}
