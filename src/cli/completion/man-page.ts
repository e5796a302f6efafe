/**
 * tsrun(1) in man(7)'s macros, from the command table.
 */
import { optionGroups, optionSummary } from "../help.ts";
import type { OptionSpec } from "../table/option-spec.ts";
import { GLOBAL_OPTIONS, HELP_OPTION } from "../table/shared-options.ts";
import { COMMAND_GROUPS, type CommandSpec } from "../table/types.ts";
import { argumentText } from "../usage.ts";

export function manPage(commands: readonly CommandSpec[], version: string): string {
  const lines = [
    `.TH TSRUN 1 "" "tsrun ${roff(version)}" "User Commands"`,
    ".SH NAME",
    "tsrun \\- run Linux containers",
    ".SH SYNOPSIS",
    ".B tsrun",
    "[\\fIGLOBAL OPTIONS\\fR] \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
    ".SH DESCRIPTION",
    "tsrun runs containers from images or from root file systems: each with its own file system, namespaces, cgroup limits and identity, on the host's kernel.",
    ".SH GLOBAL OPTIONS",
    "They may stand before or after the command.",
    ...[...GLOBAL_OPTIONS, HELP_OPTION].flatMap(optionLines),
    ".SH COMMANDS",
  ];
  for (const group of COMMAND_GROUPS) {
    for (const command of commands) {
      if (command.group === group) lines.push(...commandLines(command));
    }
  }
  return [...lines, ...CLOSING, ""].join("\n");
}

function commandLines(command: CommandSpec): string[] {
  const words = [
    `\\fBtsrun ${roff(command.name)}\\fR`,
    ...(command.options.length > 0 ? ["[\\fIOPTIONS\\fR]"] : []),
    ...command.arguments.map((argument) => roff(argumentText(argument))),
  ];
  const lines = [`.SS ${words.join(" ")}`, roff(`${command.summary}.`)];
  for (const paragraph of command.description) lines.push(".PP", roff(paragraph));
  if (command.aliases) lines.push(".PP", `Also called ${roff(command.aliases.join(", "))}.`);
  for (const [group, options] of optionGroups(command)) {
    lines.push(".PP", `${roff(group)}:`, ...options.flatMap(optionLines));
  }
  for (const { command: line, meaning } of command.examples) {
    lines.push(".PP", `${roff(meaning)}:`, ".nf", ".RS", roff(line), ".RE", ".fi");
  }
  return lines;
}

function optionLines(option: OptionSpec): string[] {
  const names = [
    ...(option.short === undefined ? [] : [`\\fB\\-${roff(option.short)}\\fR`]),
    `\\fB\\-\\-${roff(option.name)}\\fR`,
  ];
  const value = option.kind === "flag" ? "" : ` \\fI${roff(option.placeholder ?? "VALUE")}\\fR`;
  return [".TP", `${names.join(", ")}${value}`, roff(`${optionSummary(option)}.`)];
}

const CLOSING = [
  ".SH EXIT STATUS",
  "The container's own in run, start \\-a, exec and attach; 128 and the signal's number for a process that a signal ended; 125 for an error of tsrun; 126 for a command that cannot be executed; 127 for one that is not there.",
  ".SH OUTPUT FOR PROGRAMS",
  "With \\-\\-format json the keys stay from version to version; new ones may come.",
  ".TP",
  "\\fBplan\\fR",
  "\\fIops\\fR, in order: each has \\fIop\\fR (its kind and arguments), \\fIphase\\fR (host, child or teardown), \\fIorigin\\fR (the option or field), and where they apply \\fIhint\\fR, \\fItolerate\\fR (errnos that are no failure), \\fIskipOk\\fR and \\fIskipFailed\\fR (how many ops are left out then). Beside it \\fIcloneFlags\\fR, \\fIcgroupSlot\\fR, \\fIinheritedFds\\fR and \\fIsupervision\\fR. The same options give the same plan.",
  ".TP",
  "\\fBinfo\\fR",
  "\\fIVersion\\fR, \\fINode\\fR, \\fIHost\\fR, \\fIStore\\fR, \\fICgroup\\fR (with its \\fIControllers\\fR) and \\fISecurity\\fR; sizes twice, as text and as \\fI...Bytes\\fR.",
  ".TP",
  "\\fBversion\\fR",
  "\\fIVersion\\fR, \\fINodeVersion\\fR and \\fIOsArch\\fR.",
  ".TP",
  "\\fBps\\fR, \\fBimage ls\\fR, \\fBstats\\fR",
  "An array with an object a row; its keys are those of a template.",
  ".TP",
  "\\fBevents\\fR",
  "An object a line.",
  ".SH ENVIRONMENT",
  ".TP",
  "\\fBTSRUN_ROOT\\fR, \\fBTSRUN_RUN_ROOT\\fR",
  "What \\-\\-root and \\-\\-run\\-root are without the options.",
  ".TP",
  "\\fBNO_COLOR\\fR",
  "Set to anything: no colours.",
  ".SH FILES",
  ".TP",
  "/var/lib/tsrun",
  "Images and containers.",
  ".TP",
  "/run/tsrun",
  "The state of running containers.",
  ".SH SEE ALSO",
  "namespaces(7), cgroups(7), capabilities(7), seccomp(2), mount(8)",
];

/** roff's own characters as themselves; a line must not begin with a dot or quote. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("…", "...")
    .replace(/^\./, "\\&.");
}
