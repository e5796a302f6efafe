/**
 * What builds remember: which layer came of which step. A record keeps its layer alive as an image would.
 *
 *     ROOT/images/build-cache/HEX.json   what the step with this key has made
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import type { Descriptor } from "./config.ts";
import { hexOf } from "./digest.ts";
import { findLayer, type LayerKey } from "./layers.ts";
import { type ImageStore, listDirectory } from "./store.ts";

export interface CachedStep {
  /** RFC 3339. */
  readonly created: string;
  /** undefined for a step that changed no file. */
  readonly layer?: LayerKey & { readonly descriptor: Descriptor };
}

function cacheDirectory(store: ImageStore): string {
  return join(store.directory, "build-cache");
}

function recordPath(store: ImageStore, key: string): string {
  return join(cacheDirectory(store), `${key}.json`);
}

/** The step, if its layer is still there. Call it locked. */
export function findCachedStep(store: ImageStore, key: string): CachedStep | undefined {
  const step = readStep(recordPath(store, key));
  return step && isWhole(store, step) ? step : undefined;
}

function isWhole(store: ImageStore, { layer }: CachedStep): boolean {
  if (!layer) return true;
  return findLayer(store, layer) !== undefined && store.hasBlob(layer.descriptor.digest);
}

/** Call it locked. */
export function writeCachedStep(store: ImageStore, key: string, step: CachedStep): void {
  makeDirectories(cacheDirectory(store), 0o700);
  writeFileAtomic(recordPath(store, key), JSON.stringify(step));
}

/** Every step, as the blobs and layers that its record keeps, in hexadecimal digits. Call it locked. */
export function cachedSteps(store: ImageStore): readonly (readonly string[])[] {
  return listDirectory(cacheDirectory(store)).map((name) => {
    const layer = readStep(join(cacheDirectory(store), name))?.layer;
    return layer ? [layer.diffId, layer.chainId, layer.descriptor.digest].map(hexOf) : [];
  });
}

/** The next build does all of its steps anew. Call it locked. */
export function forgetCachedSteps(store: ImageStore): void {
  rmSync(cacheDirectory(store), { recursive: true, force: true });
}

function readStep(path: string): CachedStep | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as CachedStep;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
