/**
 * The engine as a command gets it: opened by the global options, its warnings on stderr.
 */
import { type Engine, openEngine } from "../engine/index.ts";
import { colour } from "./format/colour.ts";
import { printError } from "./output.ts";
import { type GlobalOptions, LOG_LEVELS, type LogLevel } from "./table/types.ts";

export function openEngineFor(globals: GlobalOptions): Engine {
  return openEngine({
    ...(globals.root === undefined ? {} : { root: globals.root }),
    ...(globals.runRoot === undefined ? {} : { runRoot: globals.runRoot }),
    log: (message) => warn(globals, message),
  });
}

/** What went otherwise than asked, and was no reason to fail. */
export function warn(globals: GlobalOptions, message: string): void {
  say(globals, "warn", `${colour("Warning:", "yellow", 2)} ${message}`);
}

/** What a user who asks for more may want to know. */
export function note(globals: GlobalOptions, message: string): void {
  say(globals, "warn", `Note: ${message}`);
}

function say({ logLevel }: GlobalOptions, level: LogLevel, text: string): void {
  if (LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(logLevel)) printError(text);
}
