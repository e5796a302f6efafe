/**
 * What no image leads to any more: layers, blobs, records, and halves of blobs.
 */
import { closeSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { removeTree, tryFlock } from "../ffi/index.ts";
import { cachedSteps } from "./build-cache.ts";
import { hexOf } from "./digest.ts";
import { layerKeys } from "./layers.ts";
import { type ImageStore, listDirectory, type StoredImage } from "./store.ts";
import { readLeases } from "./work.ts";

/** Removes what no image in the index, no build's cache and no pull under way needs. Call it locked. Answers the paths. */
export function collectGarbage(store: ImageStore): readonly string[] {
  const unused = findUnused(store);
  for (const layer of unused.layers) {
    faultPoint();
    removeTree(layer);
  }
  for (const file of [...unused.blobs, ...unused.records]) {
    faultPoint();
    rmSync(file, { force: true });
  }
  return [...unused.layers, ...unused.blobs];
}

export interface Unused {
  readonly layers: readonly string[];
  readonly blobs: readonly string[];
  readonly records: readonly string[];
}

/** Call it locked. */
export function findUnused(store: ImageStore): Unused {
  const needed = new Set([
    ...store.images().flatMap(neededBy),
    ...readLeases(store),
    ...cachedSteps(store).flat(),
  ]);
  const unusedIn = (directory: string, suffix = "") =>
    listDirectory(directory)
      .filter((name) => !needed.has(suffix === "" ? name : name.replace(suffix, "")))
      .map((name) => join(directory, name));
  return {
    layers: unusedIn(store.layersDirectory),
    blobs: unusedIn(store.blobsDirectory),
    records: unusedIn(store.recordsDirectory, ".json"),
  };
}

/** Blobs and layers of an image, in hexadecimal digits. */
export function neededBy(image: StoredImage): readonly string[] {
  const { manifestDigest, manifest } = image;
  return [
    manifestDigest,
    manifest.config.digest,
    ...manifest.layers.map(({ digest }) => digest),
    ...layerKeys(image).flatMap(({ diffId, chainId }) => [diffId, chainId]),
  ].map(hexOf);
}

const STALE_MS = 24 * 60 * 60 * 1000;

/** Halves of blobs that no pull has gone on with for a day, or with `all` any. */
export function removeStaleIngests(
  store: ImageStore,
  { all = false, nowMs = Date.now() }: { readonly all?: boolean; readonly nowMs?: number } = {},
): { readonly paths: readonly string[]; readonly bytes: number } {
  const names = new Set(listDirectory(store.ingestDirectory));
  const paths = [...names]
    .filter((name) => !name.endsWith(".lock") && !isBusy(store, name))
    .map((name) => join(store.ingestDirectory, name))
    .filter((path) => all || isOld(path, nowMs));
  const bytes = paths.reduce((sum, path) => sum + (statSync(path).size ?? 0), 0);
  for (const path of paths) rmSync(path, { force: true });
  return { paths, bytes };
}

/** A pull that goes on with it holds the lock beside it; one that was killed has left a free one. */
function isBusy(store: ImageStore, name: string): boolean {
  const path = join(store.ingestDirectory, `${name}.lock`);
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
  try {
    if (!tryFlock(fd, "exclusive")) return true;
    rmSync(path, { force: true });
    return false;
  } finally {
    closeSync(fd);
  }
}

function isOld(path: string, nowMs: number): boolean {
  const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return mtimeMs !== undefined && nowMs - mtimeMs > STALE_MS;
}
