/**
 * What the store takes on the disk, and giving back what nothing needs.
 */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { forgetCachedSteps } from "./build-cache.ts";
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

export interface StoreUsage {
  readonly images: readonly ImageUsage[];
  readonly total: number;
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
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { images: images.map((image) => usageOf(image, { sizes, users })), total };
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
  return [join(store.blobsDirectory, hex), join(store.layersDirectory, hex)].reduce(
    (sum, path) => sum + treeSize(path, new Set()),
    0,
  );
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
    return readdirSync(path).reduce((sum, name) => sum + treeSize(join(path, name), seen), own);
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
    const freed = freedBy(store, doomed);
    if (buildCache) forgetCachedSteps(store);
    const stale = removeStaleIngests(store, { all: true });
    collectGarbage(store);
    return { images: doomed.map(({ id }) => id), names, freed: freed + stale.bytes };
  });
}

/** What goes with these images, as the index already says that they are gone. */
function freedBy(store: ImageStore, doomed: readonly StoredImage[]): number {
  const needed = new Set(store.images().flatMap(neededBy));
  const going = new Set(doomed.flatMap(neededBy));
  return [...going]
    .filter((hex) => !needed.has(hex))
    .reduce((sum, hex) => sum + sizeOf(store, hex), 0);
}
