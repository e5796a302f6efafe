/** What a command is, and what each is told besides its own arguments. */
import type { FlagSpec, ParsedArguments } from "./parse-arguments.ts";

export interface GlobalOptions {
  /** Where the containers' records are. */
  readonly root: string;
  readonly systemdCgroup: boolean;
  /** The name that we were called by, in the words of errors. */
  readonly program: string;
  /** Told on the way; never an error. */
  readonly warn: (sentence: string) => void;
}

export interface CommandModule {
  /** Resolves to the exit status. */
  readonly run: (args: ParsedArguments, globals: GlobalOptions) => Promise<number> | number;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly flags: readonly FlagSpec[];
  /** Operands: exactly, or at least with `more`. */
  readonly operands: number;
  readonly more?: boolean;
  /** Its operands are another program's arguments, flags and all. */
  readonly passThrough?: boolean;
  /** "create failed: " before its errors. */
  readonly prefix?: "program" | "command";
  readonly errorStatus?: number;
  /** `--help` is an error, too: engines read from it whether we can do it. */
  readonly unsupported?: boolean;
  readonly load: () => Promise<CommandModule>;
}
