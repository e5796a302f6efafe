/**
 * What a stage consists of when its base and its arguments are known: the instructions as values, with
 * nothing left to look up but files.
 */
import type { ImageProcessConfig } from "../images/index.ts";
import type { Source } from "./plan-stages.ts";

export interface Step {
  readonly line: number;
  /** For people: the instruction as it was written. */
  readonly text: string;
  /** For the image's history. */
  readonly createdBy: string;
  readonly action: Action;
  /** The image's configuration after it. */
  readonly config: ImageProcessConfig;
  readonly author?: string;
}

export type Action =
  | { readonly kind: "configure" }
  | { readonly kind: "workdir"; readonly path: string }
  | RunAction
  | CopyAction;

export interface RunAction {
  readonly kind: "run";
  readonly args: readonly string[];
  /** The image's variables and the arguments that are declared. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables that do not count for the cache: proxies. */
  readonly hiddenEnv: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workdir: string;
  readonly network: "default" | "none" | "host";
  readonly mounts: readonly RunMount[];
  /** A here-document with an interpreter of its own: it is run as a file. */
  readonly script?: { readonly name: string; readonly contents: string };
}

/** Files of the context, of an earlier stage, or of an image. */
export type FileSource = { readonly kind: "context" } | Exclude<Source, { kind: "scratch" }>;

export type RunMount =
  | {
      readonly type: "bind";
      readonly target: string;
      readonly from: FileSource;
      readonly source: string;
      readonly readOnly: boolean;
    }
  | {
      readonly type: "cache";
      readonly target: string;
      readonly id: string;
      readonly sharing: "shared" | "private" | "locked";
      readonly readOnly: boolean;
      /** What a new one is like. */
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: "secret";
      readonly id: string;
      readonly target: string | undefined;
      readonly env: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: "tmpfs"; readonly target: string; readonly sizeBytes?: number };

export interface CopyAction {
  readonly kind: "copy";
  /** ADD: archives are unpacked and URLs are fetched. */
  readonly isAdd: boolean;
  readonly from: FileSource;
  readonly sources: readonly string[];
  /** Here-documents. */
  readonly files: readonly { readonly name: string; readonly contents: string }[];
  /** Absolute in the image; with a slash at its end it is a directory. */
  readonly target: string;
  readonly chown: string | undefined;
  readonly chmod: number | undefined;
  readonly exclude: readonly string[];
  /** --parents: the sources keep their directories. */
  readonly parents: boolean;
  readonly checksum: string | undefined;
  /** undefined: archives that are here are unpacked, those that are fetched are not. */
  readonly unpack: boolean | undefined;
}

/** In the container's own /dev nothing of it is left in the image. BuildKit's place. */
export function scriptPath(name: string): string {
  return `/dev/pipes/${name}`;
}
