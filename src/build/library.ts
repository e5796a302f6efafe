/**
 * A build for programs: `import { buildImage } from "tsrun"`.
 */
import { openEngine } from "../engine/index.ts";
import { buildImage as build } from "./build-image.ts";
import type { BuildOptions } from "./options.ts";
import { type ContextChoice, readBuildContext } from "./read-context.ts";

/** The options of `tsrun build`, and where things are kept. */
export interface BuildImageOptions
  extends Omit<BuildOptions, "containerfile" | "context" | "ignore">,
    Partial<ContextChoice> {
  readonly root?: string;
  readonly runRoot?: string;
}

export interface BuiltImageView {
  /** As `tsrun image ls` shows it. */
  readonly id: string;
  readonly names: readonly string[];
}

/**
 * Builds an image from a Containerfile: that of `context` (a directory), or `file`, or `text`. Rejects with
 * INVALID_ARGUMENT and the line for a Containerfile that cannot be meant, with BUILD_FAILED for a RUN that
 * fails (a `BuildFailure` with its `status`), and with NOT_FOUND, UNSUPPORTED, NO_SPACE, ABORTED. Only the
 * cache is left then. `onProgress` is told of steps and of what they write.
 */
export async function buildImage(options: BuildImageOptions): Promise<BuiltImageView> {
  const { root, runRoot, context, file, text, ignoreFile, ...rest } = options;
  const { onProgress } = rest;
  const engine = openEngine({
    ...(root === undefined ? {} : { root }),
    ...(runRoot === undefined ? {} : { runRoot }),
    log: (message) => onProgress?.({ kind: "warning", message }),
  });
  const read = readBuildContext({
    context,
    ...(file === undefined ? {} : { file }),
    ...(text === undefined ? {} : { text }),
    ...(ignoreFile === undefined ? {} : { ignoreFile }),
  });
  const { image } = await build(engine, { ...rest, ...read });
  return { id: image.id, names: image.names };
}
