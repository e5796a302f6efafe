/**
 * Owns builds: from a Containerfile to an image. It parses the file, plans the stages and steps as values,
 * and does each step that no earlier build has done: files through an overlay that nobody sees, commands in
 * containers of the engine. It refuses to look outside of the context, and keeps nothing of a build that
 * fails but the cache. Start with step.ts, then plan-steps.ts and build-image.ts.
 */
export { buildImage } from "./build-image.ts";
export { readCacheMountsUsage } from "./cache-mount.ts";
export { BuildFailure } from "./failure.ts";
export {
  type BuildImageOptions,
  type BuiltImageView,
  buildImage as buildImageWith,
} from "./library.ts";
export type { BuildOptions, BuildProgress, BuiltImage } from "./options.ts";
export { pruneImagesAndCache } from "./prune.ts";
export { type ContextChoice, readBuildContext } from "./read-context.ts";
