/**
 * Owns images: their names, configurations and layers, and how a tarball or a directory becomes one.
 * It refuses archives that would write outside their layer, and never runs anything.
 * Start with store.ts (what lies where), then import.ts.
 */
export type { ImageConfig, ImageManifest, ImageProcessConfig } from "./config.ts";
export { type ImportOptions, importImage, removeAbandoned } from "./import.ts";
export {
  collectGarbage,
  layerDirectories,
  type RemoveImageOptions,
  removeImage,
  resolveImage,
  tagImage,
} from "./manage.ts";
export { packBelow } from "./pack.ts";
export { formatReference, type ImageReference, parseReference } from "./reference.ts";
export { ImageStore, type StoredImage } from "./store.ts";
export { type UnpackLimits, unpackTar } from "./unpack.ts";
