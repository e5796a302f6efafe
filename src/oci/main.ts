/**
 * tsrun-oci: the command line that engines call, argument for argument runc's. Finds the command in
 * table.ts, loads it alone, and is the only place that prints an error or picks an exit status.
 */
import { writeSync } from "node:fs";
import { posix } from "node:path";
import { isatty } from "node:tty";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type { CommandSpec, GlobalOptions } from "./command.ts";
import { type LogOptions, writeError, writeLog } from "./log.ts";
import { type Flags, parseArguments } from "./parse-arguments.ts";
import { COMMANDS, GLOBAL_FLAGS } from "./table.ts";

/** urfave/cli's status of an unknown command. */
const EXIT_UNKNOWN_COMMAND = 3;

let log: LogOptions = { format: "text" };
let debug = false;
/** What runs, for the words and the status of its failure. */
let current: CommandSpec | undefined;

/** Under which name: an engine that looks for "runc" finds it by a link. */
const program = process.title;

async function main(words: readonly string[]): Promise<number> {
  const { flags, operands } = parseArguments(words, GLOBAL_FLAGS, { interspersed: false });
  const [name, ...rest] = operands;
  debug = flags.flag("debug");
  log = logOptions(flags);
  if (flags.flag("version")) return print(await versionText());
  if (flags.flag("help") || name === undefined) return print(await programHelp());
  if (name === "help" || name === "h") return help(rest[0]);
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) {
    writeLog(log, "error", `No help topic for '${name}'`);
    return EXIT_UNKNOWN_COMMAND;
  }
  return runCommand(command, rest, globalOptions(flags));
}

async function runCommand(
  command: CommandSpec,
  words: readonly string[],
  globals: GlobalOptions,
): Promise<number> {
  const specs = [...command.flags, HELP];
  const interspersed = !command.passThrough;
  const args = await parsed(() => parseArguments(words, specs, { interspersed }), command);
  if (args.flags.flag("help")) {
    if (!command.unsupported) return help(command.name);
    throw new TsrunError("UNSUPPORTED", `${command.name} is not supported yet`);
  }
  const { length } = args.operands;
  if (command.more ? length < command.operands : length !== command.operands) {
    const wanted = command.more ? "a minimum of" : "exactly";
    const message = `${program}: "${command.name}" requires ${wanted} ${command.operands} argument(s)`;
    await parsed(() => {
      throw new TsrunError("INVALID_ARGUMENT", message);
    }, command);
  }
  current = command;
  const { run } = await command.load();
  return run(args, globals);
}

const HELP = { name: "help", short: "h", kind: "flag", usage: "show help" } as const;

/** Who used a command wrongly sees how it is used. */
async function parsed<T>(parse: () => T, command: CommandSpec): Promise<T> {
  try {
    return parse();
  } catch (error) {
    print(`Incorrect Usage.\n\n${await commandHelp(command)}`);
    throw error;
  }
}

function logOptions(flags: Flags): LogOptions {
  const file = flags.value("log");
  const format = flags.value("log-format") ?? "text";
  if (format === "text" || format === "json") {
    return { format, ...(file === undefined ? {} : { file }) };
  }
  throw new TsrunError("INVALID_ARGUMENT", `invalid log-format: ${format}`);
}

function globalOptions(flags: Flags): GlobalOptions {
  return {
    root: posix.resolve(flags.value("root") ?? defaultRoot()),
    systemdCgroup: flags.flag("systemd-cgroup"),
    program,
    warn,
  };
}

/** A caller that keeps no log has our stderr as the container's: only a person wants to read it there. */
function warn(sentence: string): void {
  if (log.file !== undefined || debug || isatty(2)) writeLog(log, "warning", sentence);
}

/** As runc's, under our own name. podman sets XDG_RUNTIME_DIR empty. */
function defaultRoot(): string {
  const runtimeDir = process.env["XDG_RUNTIME_DIR"];
  if (process.geteuid?.() !== 0 && runtimeDir) return `${runtimeDir}/tsrun-oci`;
  return "/run/tsrun-oci";
}

async function help(name: string | undefined): Promise<number> {
  const command = COMMANDS.find((known) => known.name === name);
  return print(command ? await commandHelp(command) : await programHelp());
}

async function commandHelp(command: CommandSpec): Promise<string> {
  return (await import("./help.ts")).commandHelp(command, program);
}

async function programHelp(): Promise<string> {
  return (await import("./help.ts")).programHelp(program);
}

async function versionText(): Promise<string> {
  return (await import("./version.ts")).versionText();
}

function print(text: string): number {
  writeSync(1, text);
  return 0;
}

function report(error: unknown): number {
  if (!(error instanceof TsrunError) && hasErrno(error, "EPIPE")) return 0; // the reader has gone
  const message = errorText(error);
  writeLog(log, "error", message);
  if (log.file !== undefined) writeError(`${message}\n`);
  if (debug && error instanceof Error) writeLog(log, "debug", error.stack ?? "");
  return current?.errorStatus ?? 1;
}

function errorText(error: unknown): string {
  const text =
    error instanceof TsrunError ? error.message : String((error as Error).stack ?? error);
  if (current?.prefix === "command") return `${program} ${current.name} failed: ${text}`;
  return current?.prefix === "program" ? `${current.name} failed: ${text}` : text;
}

process.on("uncaughtException", (error) => {
  process.exit(report(error));
});
void main(process.argv.slice(2))
  .catch(report)
  .then((status) => process.exit(status));
