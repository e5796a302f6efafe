/**
 * What the command table says of a command. Help, the man page, the completions and the parser are all
 * made from it.
 */
import type { OptionValues } from "../option-values.ts";

/** What completes an argument or a value in a shell. */
export type Completion =
  | "containers"
  | "running"
  | "images"
  | "signals"
  | "files"
  | "directories"
  | "commands";

export interface OptionSpec {
  /** Without the dashes: podman's name where podman has one. */
  readonly name: string;
  readonly short?: string;
  /** Other long names of the same option, not shown in help. */
  readonly aliases?: readonly string[];
  /** A list may be repeated; a value's last one wins. */
  readonly kind: "flag" | "value" | "list";
  /** What stands for the value in help: "SIZE". */
  readonly placeholder?: string;
  readonly summary: string;
  /** What holds without the option; of a flag "true" or nothing. */
  readonly default?: string;
  /** The heading it stands under in help; "Options" without one. */
  readonly group?: string;
  readonly choices?: readonly string[];
  readonly completion?: Completion;
}

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
  "System",
] as const;
export type CommandGroup = (typeof COMMAND_GROUPS)[number];
