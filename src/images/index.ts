/**
 * Owns images: their names, configurations and layers, how a tarball or a directory becomes one, and
 * how they come from and go to registries. It refuses archives that would write outside their layer and
 * contents that are not what their digests say, and never runs anything.
 * Start with store.ts (what lies where), then fetch-image.ts; registry/ is HTTP and nothing else. Large
 * layers are unpacked in threads: unpack-pool.ts.
 */
export { checkImageStore } from "./check.ts";
export { type CommitImageOptions, commitImage } from "./commit.ts";
export type { ImageConfig, ImageManifest, ImageProcessConfig } from "./config.ts";
export { checkArchive, decompress } from "./decompress.ts";
export { type Draft, type DraftStep, EMPTY_DRAFT, ImageDrafts } from "./draft.ts";
export type { Entry } from "./entry.ts";
export type { ImageProgress } from "./fetch-image.ts";
export { type ImportOptions, importImage } from "./import.ts";
export type { NameVersion } from "./index-entries.ts";
export { LayerWriter } from "./layer-writer.ts";
export { type ImageLayer, imageLayers, imageSize, layerDirectories, rootLayer } from "./layers.ts";
export { type LoadOptions, loadImages } from "./load.ts";
export {
  findName,
  nameVersions,
  promoteName,
  removeImage,
  resolveImage,
  tagImage,
} from "./manage.ts";
export { type PackOptions, packBelow, packUpper } from "./pack.ts";
export { type ImageChange, parseImageChange, withEnv } from "./parse-change.ts";
export { formatPlatform, hostPlatform, type Platform, parsePlatform } from "./platform.ts";
export type { PullOptions } from "./pull.ts";
export type { PushedImage, PushOptions } from "./push.ts";
export { formatReference, type ImageReference, parseReference } from "./reference.ts";
export type { RegistryAccess } from "./registry/access.ts";
export {
  completeName,
  fetchUrl,
  listReferrers,
  loggedInAs,
  login,
  logout,
  pullImage,
  pushImage,
} from "./remote.ts";
export { type SaveFormat, saveDirectory, saveImages } from "./save.ts";
export {
  type PrunedImages,
  pruneImages,
  readStoreUsage,
  type StoreUsage,
  treeSize,
} from "./storage.ts";
export { ImageStore, type StoredImage } from "./store.ts";
export { Turns } from "./turns.ts";
export { type UnpackLimits, unpackTar } from "./unpack.ts";
export { removeAbandoned } from "./work.ts";
