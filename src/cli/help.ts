/**
 * Help as text, from the command table.
 */
import { printLine } from "./output.ts";
import type { OptionSpec } from "./table/option-spec.ts";
import { GLOBAL_OPTIONS, HELP_OPTION } from "./table/shared-options.ts";
import { COMMAND_GROUPS, type CommandSpec } from "./table/types.ts";
import { usageLine } from "./usage.ts";
import { wrap } from "./wrap.ts";

const COLUMNS = 80;

export function printProgramHelp(commands: readonly CommandSpec[]): void {
  printLine(programHelp(commands, terminalColumns()));
}

export function printCommandHelp(command: CommandSpec): void {
  printLine(commandHelp(command, terminalColumns()));
}

/** The commands by group. */
export function programHelp(commands: readonly CommandSpec[], columns = COLUMNS): string {
  const groups = COMMAND_GROUPS.flatMap((group) => {
    const members = commands.filter((command) => command.group === group);
    const rows = members.map(({ name, summary }) => [name, summary] as const);
    return rows.length > 0 ? [section(group, rows, columns)] : [];
  });
  return [
    "tsrun runs Linux containers.",
    "",
    "Usage: tsrun [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]",
    "",
    ...groups.flatMap((group) => [group, ""]),
    section("Global options", optionRows([...GLOBAL_OPTIONS, HELP_OPTION]), columns),
    "",
    "To begin:",
    "  tsrun image import ./rootfs debian    Make an image of a directory or archive",
    "  tsrun run --rm -it debian bash        Run a shell in it",
    "",
    'See "tsrun help COMMAND" for the options and examples of a command.',
  ].join("\n");
}

export function commandHelp(command: CommandSpec, columns = COLUMNS): string {
  const parts = [`Usage: ${usageLine(command)}`, "", `${command.summary}.`];
  for (const paragraph of command.description) parts.push("", wrap(paragraph, { columns }));
  if (command.aliases) parts.push("", `Also called: ${command.aliases.join(", ")}`);
  for (const [group, options] of optionGroups(command)) {
    parts.push("", section(group, optionRows(options), columns));
  }
  if (command.examples.length > 0) {
    parts.push("", "Examples:");
    for (const { command: line, meaning } of command.examples) {
      parts.push(`  # ${meaning}`, `  ${line}`);
    }
  }
  parts.push("", 'Global options: see "tsrun help".');
  return parts.join("\n");
}

/** Options under their headings, in the table's order. */
export function optionGroups(command: CommandSpec): ReadonlyMap<string, readonly OptionSpec[]> {
  const groups = new Map<string, OptionSpec[]>();
  for (const option of command.options) {
    const heading = option.group ?? "Options";
    groups.set(heading, [...(groups.get(heading) ?? []), option]);
  }
  return groups;
}

/** "-m, --memory SIZE". */
export function optionText({ name, short, kind, placeholder }: OptionSpec): string {
  const value = kind === "flag" ? "" : ` ${placeholder ?? "VALUE"}`;
  return `${short === undefined ? "    " : `-${short}, `}--${name}${value}`;
}

export function optionSummary({ summary, default: standard, kind }: OptionSpec): string {
  if (standard === undefined) return summary;
  return `${summary} (${kind === "flag" ? "on by default" : standard})`;
}

function optionRows(options: readonly OptionSpec[]): [string, string][] {
  return options.map((option) => [optionText(option), optionSummary(option)]);
}

/** A heading and two columns; a long left side pushes its text to the next line. */
function section(
  heading: string,
  rows: readonly (readonly [string, string])[],
  columns: number,
): string {
  const width = Math.min(30, Math.max(0, ...rows.map(([left]) => left.length)));
  const indent = width + 4;
  const lines = rows.map(([left, right]) => {
    const text = wrap(right, { columns, indent });
    return left.length > width
      ? `  ${left}\n${text}`
      : `  ${left.padEnd(width)}  ${text.trimStart()}`;
  });
  return [`${heading}:`, ...lines].join("\n");
}

function terminalColumns(): number {
  return Math.min(process.stdout.isTTY ? process.stdout.columns : COLUMNS, 100);
}
