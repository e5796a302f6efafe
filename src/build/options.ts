/**
 * What a build is asked for: the options of `tsrun build` and of the library, typed.
 */
import type { ContainerRequest, LimitsRequest, MountRequest, PullPolicy } from "../engine/index.ts";
import type { Platform, PullOptions, StoredImage } from "../images/index.ts";

export interface BuildOptions {
  /** The Containerfile's text, and its name for messages. */
  readonly containerfile: { readonly text: string; readonly name: string };
  /** The directory that COPY and ADD take files from; without one there are none. */
  readonly context?: string;
  /** Patterns of .containerignore. */
  readonly ignore?: readonly string[];
  /** Names for the image; without any it has only its id. */
  readonly tags?: readonly string[];
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** A stage's name or number; the last one without it. */
  readonly target?: string;
  /** Must be this machine's. */
  readonly platform?: Platform;
  /** Do every step, whatever earlier builds have done. */
  readonly noCache?: boolean;
  readonly pull?: PullPolicy;
  /** How base images are fetched. */
  readonly registry?: Omit<PullOptions, "signal" | "platform">;
  /** Milliseconds since the epoch: the time of the image and of every file in new layers. */
  readonly timestampMs?: number;
  /** What RUN may use of the network: loopback alone without it. */
  readonly network?: NonNullable<ContainerRequest["namespaces"]>["network"];
  readonly secrets?: Readonly<Record<string, Uint8Array>>;
  /** Mounted for every RUN. */
  readonly mounts?: readonly MountRequest[];
  readonly limits?: LimitsRequest;
  readonly addHosts?: ContainerRequest["addHosts"];
  readonly dns?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Variables that the image has whatever the Containerfile says. */
  readonly env?: Readonly<Record<string, string>>;
  /** Steps of different stages that are done at once; as many as there are cores without it. */
  readonly jobs?: number;
  readonly compression?: "gzip" | "zstd";
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** Which step of which stage. */
export interface BuildPlace {
  /** The stage's number in the file, from 0. */
  readonly stage: number;
  /** In the file. */
  readonly stages: number;
  /** From 1 in its stage: FROM is the first. */
  readonly step: number;
}

export type BuildProgress =
  | (BuildPlace & { readonly kind: "step"; readonly steps: number; readonly text: string })
  | (BuildPlace & { readonly kind: "cached" })
  | (BuildPlace & {
      readonly kind: "output";
      readonly stream: "stdout" | "stderr";
      readonly chunk: Uint8Array;
    })
  | { readonly kind: "warning"; readonly message: string };

export interface BuiltImage {
  readonly image: StoredImage;
}
