/**
 * What the command table says of a command. Help, the man page, the completions and the parser are all
 * made from it.
 */
import type { OptionValues } from "../option-values.ts";
import type { Completion, OptionSpec } from "./option-spec.ts";

export interface ArgumentSpec {
  readonly name: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly completion?: Completion;
}

export interface Example {
  readonly command: string;
  readonly meaning: string;
}

/** What a command is called with. */
export interface CommandCall {
  readonly options: OptionValues;
  readonly operands: readonly string[];
  readonly globals: GlobalOptions;
  /** The whole table: help and completion are made from it. */
  readonly commands: readonly CommandSpec[];
}

export interface GlobalOptions {
  readonly root?: string;
  readonly runRoot?: string;
  readonly logLevel: LogLevel;
  readonly debug: boolean;
}

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface CommandModule {
  /** Resolves to the exit status; 0 for nothing. */
  readonly run: (call: CommandCall) => Promise<number> | Promise<void> | void;
}

export interface CommandSpec {
  /** One word, or two for "image ls". */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: CommandGroup;
  /** One line, without a full stop. */
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  /**
   * For users who are not root: it needs no privileges, or it does its work in a user namespace of
   * theirs. Without it, it is root's alone.
   */
  readonly withoutRoot?: "as-is" | "in-namespace";
  /** Options end at the first argument: what follows belongs to the container's command. */
  readonly passThrough?: boolean;
  readonly options: readonly OptionSpec[];
  /** Paragraphs. */
  readonly description: readonly string[];
  readonly examples: readonly Example[];
  readonly load: () => Promise<CommandModule>;
}

export const COMMAND_GROUPS = [
  "Run containers",
  "Look at containers",
  "Change containers",
  "Images",
  "Volumes",
  "Backups",
  "System",
] as const;
export type CommandGroup = (typeof COMMAND_GROUPS)[number];
