import type { ArgumentSpec, CommandSpec } from "./table/types.ts";

/** "tsrun run [OPTIONS] IMAGE [COMMAND...]". */
export function usageLine(command: CommandSpec): string {
  const options = command.options.length > 0 ? ["[OPTIONS]"] : [];
  return ["tsrun", command.name, ...options, ...command.arguments.map(argumentText)].join(" ");
}

export function argumentText({ name, required, variadic }: ArgumentSpec): string {
  const text = `${name}${variadic ? "..." : ""}`;
  return required ? text : `[${text}]`;
}
