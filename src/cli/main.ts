/**
 * The command line: finds the command that was typed, loads it alone, and is the only place that prints
 * an error or picks an exit status. Start with table.ts, which says what commands there are;
 * each is one file in commands/.
 */
import { hasErrno, TsrunError } from "../base/errors.ts";
import { COMMAND_FAMILIES, findCommand } from "./find-command.ts";
import { printError } from "./output.ts";
import { checkOperands, parseArguments } from "./parse-arguments.ts";
import { GLOBAL_OPTIONS, HELP_OPTION } from "./table/shared-options.ts";
import type { CommandSpec, GlobalOptions, LogLevel } from "./table/types.ts";
import { LOG_LEVELS } from "./table/types.ts";
import { COMMANDS } from "./table.ts";

/** Everything before the command's name, parsed like a command of its own. */
const PROGRAM: CommandSpec = {
  name: "",
  group: "System",
  summary: "",
  arguments: [],
  passThrough: true,
  options: [
    ...GLOBAL_OPTIONS,
    { ...HELP_OPTION, short: "h" },
    { name: "version", short: "v", kind: "flag", summary: "Show the version" },
  ],
  description: [],
  examples: [],
  load: () => Promise.reject(new Error("the program is no command")),
};

async function main(words: readonly string[]): Promise<number> {
  const typedBefore = words[0]?.startsWith("-") ?? false;
  const before = await parseArguments(PROGRAM, typedBefore ? words : []);
  const rest = typedBefore ? before.operands : words;
  debug ||= before.options.flag("debug");
  if (before.options.flag("version")) return run(commandNamed("version"), [], before.options);
  if (before.options.flag("help") || rest.length === 0) {
    const status = await run(commandNamed("help"), rest, before.options);
    return before.options.flag("help") ? status : EXIT_ERROR;
  }
  const found = findCommand(COMMANDS, rest);
  if (!found) throw await unknownCommand(rest);
  return run(found.command, rest.slice(found.words), before.options);
}

/** Runs one command; global options may stand after its name, too. */
async function run(
  spec: CommandSpec,
  words: readonly string[],
  before: Awaited<ReturnType<typeof parseArguments>>["options"],
): Promise<number> {
  const command = withGlobalOptions(spec);
  const { options, operands } = await parseArguments(command, words);
  debug ||= options.flag("debug");
  if (options.flag("help")) {
    const { printCommandHelp } = await import("./help.ts");
    printCommandHelp(spec);
    return 0;
  }
  checkOperands(command, operands);
  const value = (name: string) =>
    options.isGiven(name) || !before.isGiven(name) ? options.value(name) : before.value(name);
  const root = value("root");
  const runRoot = value("run-root");
  const globals: GlobalOptions = {
    ...(root === undefined ? {} : { root }),
    ...(runRoot === undefined ? {} : { runRoot }),
    logLevel: debug ? "debug" : parseLogLevel(value("log-level") ?? "warn"),
    debug,
  };
  if (process.geteuid?.() !== 0 || process.env["TSRUN_USERNS_FD"] !== undefined) {
    const { settleWithoutRoot } = await import("./without-root.ts");
    await settleWithoutRoot(spec, globals);
  }
  const module = await spec.load();
  return (await module.run({ options, operands, globals, commands: COMMANDS })) ?? 0;
}

function withGlobalOptions(command: CommandSpec): CommandSpec {
  const shortHelp = !command.options.some(({ short }) => short === "h");
  const help = shortHelp ? { ...HELP_OPTION, short: "h" } : HELP_OPTION;
  return { ...command, options: [...command.options, ...GLOBAL_OPTIONS, help] };
}

function commandNamed(name: string): CommandSpec {
  const found = findCommand(COMMANDS, [name]);
  if (!found) throw new Error(`the table has no command "${name}"`);
  return found.command;
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text.toLowerCase());
  if (level) return level;
  throw new TsrunError("INVALID_ARGUMENT", `invalid value "${text}" for --log-level`, {
    hint: `Use one of ${LOG_LEVELS.join(", ")}.`,
  });
}

async function unknownCommand(words: readonly string[]): Promise<TsrunError> {
  const { suggestNearest } = await import("./suggest.ts");
  const [first = "", second] = words;
  const family = COMMAND_FAMILIES.find((word) => word === first);
  if (family && family !== "container") {
    const members = COMMANDS.filter(({ name }) => name.startsWith(`${family} `));
    const verbs = members.map(({ name }) => name.slice(family.length + 1));
    const nearest = second === undefined ? undefined : suggestNearest(second, verbs);
    const problem =
      second === undefined
        ? `"tsrun ${family}" needs a command`
        : `"tsrun ${family}" has no command "${second}"`;
    return new TsrunError("INVALID_ARGUMENT", problem, {
      hint: nearest
        ? `Did you mean \`tsrun ${family} ${nearest}\`?`
        : `It has ${verbs.join(", ")}.`,
    });
  }
  const typed = family === "container" ? (second ?? "") : first;
  const names = COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  const nearest = suggestNearest(typed, names);
  return new TsrunError("INVALID_ARGUMENT", `there is no command "${typed}"`, {
    hint: nearest ? `Did you mean \`tsrun ${nearest}\`?` : "See `tsrun help`.",
  });
}

/** podman's statuses of an error before or instead of the container's own. */
const EXIT_ERROR = 125;
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_NOT_FOUND = 127;

function exitStatusOfError(error: unknown): number {
  if (!(error instanceof TsrunError)) return EXIT_ERROR;
  if (error.code === "COMMAND_NOT_FOUND") return EXIT_NOT_FOUND;
  if (error.code === "COMMAND_NOT_EXECUTABLE") return EXIT_NOT_EXECUTABLE;
  return EXIT_ERROR;
}

async function report(error: unknown): Promise<number> {
  // The reader of our output has gone: there is nobody to tell, and nothing wrong.
  if (!(error instanceof TsrunError) && hasErrno(error, "EPIPE")) return 0;
  const { errorText } = await import("./error-text.ts");
  printError(errorText(error, { debug }));
  return exitStatusOfError(error);
}

let debug = false;

process.on("uncaughtException", (error) => {
  void report(error).then((status) => process.exit(status));
});
void main(process.argv.slice(2))
  .catch(report)
  .then((status) => process.exit(status));
