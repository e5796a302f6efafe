/**
 * Unpacked layers. One whose archive says everything about its directories lies in layers/ by its diff
 * id, and every image with that layer shares it. One that puts files into directories that it does not
 * describe takes these as the layers below have them, and lies there by its chain id; see
 * docs/decisions on layers.
 */
import { closeSync, existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory, writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { openRoot } from "../ffi/index.ts";
import { chainIds } from "./chain-id.ts";
import type { ImageConfig } from "./config.ts";
import { hexOf } from "./digest.ts";
import { copyAttributes, readAttributes, sameAttributes } from "./implied.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import type { UnpackedLayer } from "./unpack.ts";

/** A layer in an image: what it is, and what it is on top of. */
export interface LayerKey {
  readonly diffId: string;
  readonly chainId: string;
}

/** The image's layers, the lowest first. */
export function layerKeys({ config }: Pick<StoredImage, "config">): readonly LayerKey[] {
  let keys = knownKeys.get(config);
  if (!keys) {
    const diffIds = config.rootfs.diff_ids;
    const chain = chainIds(diffIds);
    keys = diffIds.map((diffId, at) => ({ diffId, chainId: chain[at] ?? diffId }));
    knownKeys.set(config, keys);
  }
  return keys;
}

/** A start asks several times, and each layer costs a digest. */
const knownKeys = new WeakMap<ImageConfig, readonly LayerKey[]>();

/** The image's layer directories, uppermost first: what an overlay is made of. */
export function layerDirectories(store: ImageStore, image: StoredImage): readonly string[] {
  return layerKeys(image)
    .map((key) => layerPath(store, placeOf(store, key)))
    .reverse();
}

/** The id by which it lies there, or would: that of its chain only where it leans on what is below. */
function placeOf(store: ImageStore, { diffId, chainId }: LayerKey): string {
  return chainId !== diffId && existsSync(layerPath(store, chainId)) ? chainId : diffId;
}

export function layerPath(store: ImageStore, diffOrChainId: string): string {
  return join(store.layersDirectory, hexOf(diffOrChainId));
}

/** In whichever of its two places it is. */
export function findLayer(store: ImageStore, { diffId, chainId }: LayerKey): string | undefined {
  const paths = [...new Set([chainId, diffId])].map((id) => layerPath(store, id));
  return paths.find((path) => existsSync(path));
}

/** The layer's directory if it is there and right on top of these, the uppermost first. */
export function findLayerOn(
  store: ImageStore,
  key: LayerKey,
  below: readonly string[],
): string | undefined {
  const found = findLayer(store, key);
  if (found === undefined || found === layerPath(store, key.chainId)) return found;
  const { implied = [] } = readLayerRecord(store, key.diffId) ?? {};
  return standsAlone(found, implied, below) ? found : undefined;
}

/**
 * Moves what was unpacked to where it belongs, and answers the path. It may be there already: another
 * image has brought it meanwhile. Call it locked.
 */
export function keepLayer(
  store: ImageStore,
  unpacked: string,
  {
    chainId,
    below,
    layer,
  }: {
    readonly chainId: string;
    readonly below: readonly string[];
    readonly layer: UnpackedLayer;
  },
): string {
  const alone = standsAlone(unpacked, layer.implied, below);
  if (!alone) copyAttributes(unpacked, layer.implied, below);
  const id = alone ? layer.diffId : chainId;
  const target = layerPath(store, id);
  if (existsSync(target)) return target;
  writeLayerRecord(store, id, layer);
  syncDirectory(unpacked);
  faultPoint();
  renameSync(unpacked, target);
  faultPoint();
  syncDirectory(store.layersDirectory);
  return target;
}

/**
 * Whether the directories that it leaves to others are as they would be without them. Its root does
 * not count: rootLayer says whose is the image's.
 */
function standsAlone(
  directory: string,
  implied: readonly string[],
  below: readonly string[],
): boolean {
  const others = implied.filter((path) => path !== "");
  if (below.length === 0 || others.length === 0) return true;
  const root = openRoot(directory);
  try {
    return others.every((path) => {
      const wanted = readAttributes(below, path);
      return wanted === undefined || sameAttributes(root, path, wanted);
    });
  } finally {
    closeSync(root);
  }
}

/** The directory of the uppermost layer that says what "/" is like: its mode, its owner. */
export function rootLayer(store: ImageStore, image: StoredImage): string | undefined {
  const keys = layerKeys(image).toReversed();
  const saying = keys.find((key) => {
    const record = readLayerRecord(store, placeOf(store, key));
    return !record?.implied?.includes("");
  });
  const key = saying ?? keys.at(-1);
  return key && layerPath(store, placeOf(store, key));
}

/** Whether it must know the layers below before it can be put in its place. */
export function leansOnOthers({ implied }: Pick<UnpackedLayer, "implied">): boolean {
  return implied.some((path) => path !== "");
}

/** What was learned of a layer when it was unpacked. */
export type LayerRecord = UnpackedLayer;

function recordPath(store: ImageStore, diffOrChainId: string): string {
  return join(store.recordsDirectory, `${hexOf(diffOrChainId)}.json`);
}

function writeLayerRecord(store: ImageStore, id: string, layer: LayerRecord): void {
  writeFileAtomic(recordPath(store, id), JSON.stringify(layer));
}

/** undefined for a layer that was unpacked by an earlier version, or whose record a power cut took. */
export function readLayerRecord(store: ImageStore, id: string): LayerRecord | undefined {
  let text: string;
  try {
    text = readFileSync(recordPath(store, id), "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  return text === "" ? undefined : (JSON.parse(text) as LayerRecord);
}

/** One of an image's layers, for those who look at it. */
export interface ImageLayer extends LayerKey {
  readonly digest: string;
  /** Bytes of its archive, unpacked. */
  readonly size: number;
}

/** The lowest first. */
export function imageLayers(store: ImageStore, image: StoredImage): readonly ImageLayer[] {
  return layerKeys(image).map((key, at) => {
    const { digest = "", size = 0 } = image.manifest.layers[at] ?? {};
    const record = readLayerRecord(store, key.chainId) ?? readLayerRecord(store, key.diffId);
    return { ...key, digest, size: record?.size ?? size };
  });
}

/** Bytes of the image's unpacked archives; what is not known of a layer counts as its blob. */
export function imageSize(store: ImageStore, image: StoredImage): number {
  return imageLayers(store, image).reduce((sum, { size }) => sum + size, 0);
}
