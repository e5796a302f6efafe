/**
 * What the store takes on the disk, and giving back what nothing needs.
 */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { cachedSteps, forgetCachedSteps } from "./build-cache.ts";
import { collectGarbage, neededBy, removeStaleIngests } from "./garbage.ts";
import { nameOf, removePast } from "./index-entries.ts";
import { usedManifests } from "./manage.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { removeAbandoned } from "./work.ts";

export interface ImageUsage {
  readonly image: StoredImage;
  /** Bytes on the disk, packed and unpacked. */
  readonly size: number;
  /** Those that other images use as well. */
  readonly shared: number;
  /** Those that would be free without it. */
  readonly unique: number;
}

/** What builds remember of their steps. */
export interface BuildCacheUsage {
  readonly steps: number;
  /** Of those, whose layer an image has. */
  readonly active: number;
  /** Bytes on the disk that only the cache keeps. */
  readonly size: number;
}

export interface StoreUsage {
  readonly images: readonly ImageUsage[];
  readonly total: number;
  readonly buildCache: BuildCacheUsage;
}

/** Looks at every file of the store. */
export function readStoreUsage(store: ImageStore): StoreUsage {
  const images = store.images();
  const sizes = new Map<string, number>();
  const users = new Map<string, number>();
  for (const image of images) {
    for (const hex of new Set(neededBy(image))) {
      users.set(hex, (users.get(hex) ?? 0) + 1);
      if (!sizes.has(hex)) sizes.set(hex, sizeOf(store, hex));
    }
  }
  const total = sum([...sizes.values()]);
  return {
    images: images.map((image) => usageOf(image, { sizes, users })),
    total,
    buildCache: readCacheUsage(store, new Set(users.keys())),
  };
}

function readCacheUsage(store: ImageStore, inImages: ReadonlySet<string>): BuildCacheUsage {
  const steps = cachedSteps(store);
  const own = new Set(steps.flat().filter((hex) => !inImages.has(hex)));
  return {
    steps: steps.length,
    active: steps.filter((step) => step.some((hex) => inImages.has(hex))).length,
    size: sum([...own].map((hex) => sizeOf(store, hex))),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function usageOf(
  image: StoredImage,
  known: {
    readonly sizes: ReadonlyMap<string, number>;
    readonly users: ReadonlyMap<string, number>;
  },
): ImageUsage {
  let size = 0;
  let shared = 0;
  for (const hex of new Set(neededBy(image))) {
    const bytes = known.sizes.get(hex) ?? 0;
    size += bytes;
    if ((known.users.get(hex) ?? 0) > 1) shared += bytes;
  }
  return { image, size, shared, unique: size - shared };
}

/** A blob, or a layer's directory, or both. */
function sizeOf(store: ImageStore, hex: string): number {
  const paths = [join(store.blobsDirectory, hex), join(store.layersDirectory, hex)];
  return sum(paths.map((path) => treeSize(path, new Set())));
}

const BLOCK_BYTES = 512;

/** Bytes of disk that a file or a tree takes; hard links count once. */
export function treeSize(path: string, seen: Set<string>): number {
  try {
    const stat = lstatSync(path);
    const inode = `${stat.dev}:${stat.ino}`;
    if (stat.nlink > 1 && !stat.isDirectory()) {
      if (seen.has(inode)) return 0;
      seen.add(inode);
    }
    const own = stat.blocks * BLOCK_BYTES;
    if (!stat.isDirectory()) return own;
    return own + sum(readdirSync(path).map((name) => treeSize(join(path, name), seen)));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return 0; // somebody is just removing it
    throw error;
  }
}

export interface PruneImagesOptions {
  /** Ids of images that containers were made from: they stay. */
  readonly used: ReadonlySet<string>;
  /** Also images that have a name, where no container was made from them. */
  readonly all?: boolean;
  /** Also what names pointed to before. */
  readonly versions?: boolean;
  /** Also what builds remember of their steps. */
  readonly buildCache?: boolean;
}

export interface PrunedImages {
  /** Ids. */
  readonly images: readonly string[];
  readonly names: readonly string[];
  readonly freed: number;
}

/** Removes images without a name, what no image leads to, and what killed commands have left. */
export async function pruneImages(
  store: ImageStore,
  { used, all = false, versions = false, buildCache = false }: PruneImagesOptions,
): Promise<PrunedImages> {
  await removeAbandoned(store);
  return store.locked(() => {
    const before = store.images();
    const kept = usedManifests(store, used);
    const bare = removePast(store.entries(), { versions: versions || all, kept });
    const unnamed = all
      ? bare.filter(({ digest }) => kept.has(digest)) // names of unused images go, and so do they
      : bare;
    const names = bare.filter((entry) => !unnamed.includes(entry)).flatMap((e) => nameOf(e) ?? []);
    store.writeEntries(unnamed);
    const left = new Set(store.images().map(({ id }) => id));
    const doomed = before.filter(({ id }) => !left.has(id));
    const cached = cachedSteps(store).flat();
    const going = [...doomed.flatMap(neededBy), ...(buildCache ? cached : [])];
    const freed = freedBy(store, going, buildCache ? [] : cached);
    if (buildCache) forgetCachedSteps(store);
    const stale = removeStaleIngests(store, { all: true });
    collectGarbage(store);
    return { images: doomed.map(({ id }) => id), names, freed: freed + stale.bytes };
  });
}

/** Bytes of these blobs and layers that nothing else needs; the index already says which images are gone. */
function freedBy(store: ImageStore, going: readonly string[], cached: readonly string[]): number {
  const needed = new Set([...store.images().flatMap(neededBy), ...cached]);
  const own = [...new Set(going)].filter((hex) => !needed.has(hex));
  return sum(own.map((hex) => sizeOf(store, hex)));
}
