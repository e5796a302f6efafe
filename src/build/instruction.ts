/**
 * A Containerfile as data: what was written, taken apart but not yet resolved. Variables are still in
 * the words; see expand.ts.
 */

/** `FROM --platform=… image AS name` and everything up to the next one. */
export interface StageText {
  readonly from: Statement<From>;
  readonly statements: readonly Statement[];
}

export interface Containerfile {
  /** ARGs before the first FROM: they are known to FROM lines, and to stages that repeat their name. */
  readonly globals: readonly Statement<Arg>[];
  readonly stages: readonly StageText[];
  /** The character that continues lines and quotes characters: "\" or "`". */
  readonly escapeChar: string;
}

export interface Statement<T extends Instruction = Instruction> {
  /** In the file, from 1. */
  readonly line: number;
  /** As it was written, on one line. */
  readonly text: string;
  readonly instruction: T;
}

/** A shell command as one string, or the arguments of a program. */
export type CommandForm =
  | { readonly form: "shell"; readonly script: string }
  | { readonly form: "exec"; readonly args: readonly string[] };

/** `<<EOF` and the lines up to EOF. */
export interface Heredoc {
  readonly name: string;
  readonly contents: string;
  /** false for <<"EOF": variables in it stay as they are. */
  readonly expand: boolean;
}

export interface From {
  readonly keyword: "FROM";
  readonly image: string;
  readonly name?: string;
  readonly platform?: string;
}

export interface Arg {
  readonly keyword: "ARG";
  readonly args: readonly { readonly name: string; readonly value?: string }[];
}

export interface Run {
  readonly keyword: "RUN";
  readonly command: CommandForm;
  readonly flags: Flags;
  readonly heredocs: readonly Heredoc[];
}

export interface Copy {
  readonly keyword: "COPY" | "ADD";
  readonly flags: Flags;
  /** Words of the context, or of the heredocs by their "<<NAME". */
  readonly sources: readonly string[];
  readonly target: string;
  /** In JSON form nothing is quoted, so no quotes are taken off. */
  readonly quoted: boolean;
  readonly heredocs: readonly Heredoc[];
}

export interface Pairs {
  readonly keyword: "ENV" | "LABEL";
  readonly pairs: readonly { readonly name: string; readonly value: string }[];
}

export interface OneWord {
  readonly keyword: "WORKDIR" | "USER" | "STOPSIGNAL";
  readonly word: string;
}

export interface Words {
  readonly keyword: "EXPOSE" | "VOLUME";
  readonly words: readonly string[];
  readonly quoted: boolean;
}

export interface Command {
  readonly keyword: "CMD" | "ENTRYPOINT";
  readonly command: CommandForm;
}

export interface Shell {
  readonly keyword: "SHELL";
  readonly args: readonly string[];
}

export interface Healthcheck {
  readonly keyword: "HEALTHCHECK";
  /** undefined for NONE. */
  readonly command?: CommandForm;
  readonly flags: Flags;
}

export interface Onbuild {
  readonly keyword: "ONBUILD";
  /** What a build from this image does first. */
  readonly trigger: string;
}

export interface Maintainer {
  readonly keyword: "MAINTAINER";
  readonly author: string;
}

/** `--name=value`, in order; "true" without a value. A name may stand several times (--mount). */
export type Flags = readonly { readonly name: string; readonly value: string }[];

export type Instruction =
  | From
  | Arg
  | Run
  | Copy
  | Pairs
  | OneWord
  | Words
  | Command
  | Shell
  | Healthcheck
  | Onbuild
  | Maintainer;
