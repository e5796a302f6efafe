/**
 * RUN --mount=type=cache: directories that builds keep for each other.
 *
 *     ROOT/build-mounts/HEX/       one id's directory; others of the same id are HEX.1, HEX.2 …
 *     ROOT/build-mounts/HEX.lock   held by those that want it for themselves
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { makeDirectories } from "../base/make-directories.ts";
import type { Engine } from "../engine/index.ts";
import { flock, removeTree, tryFlock } from "../ffi/index.ts";
import { treeSize } from "../images/index.ts";
import { digest } from "./cache-key.ts";
import type { RunMount } from "./step.ts";
import { setOwner } from "./step-root.ts";

type CacheMount = Extract<RunMount, { type: "cache" }>;

export interface CacheDirectory extends Disposable {
  readonly path: string;
}

function cacheMountsDirectory(engine: Engine): string {
  return join(engine.root, "build-mounts");
}

/** Waits for its lock where it is not to be shared. Disposing lets others have it. Rejects with ABORTED. */
export async function claimCacheDirectory(
  engine: Engine,
  mount: CacheMount,
  signal: AbortSignal | undefined,
): Promise<CacheDirectory> {
  const directory = cacheMountsDirectory(engine);
  makeDirectories(directory, 0o711);
  const base = join(directory, digest(mount.id));
  const { path, lock } = await lockDirectory(base, mount.sharing, signal);
  if (!existsSync(path)) makeDirectory(path, mount);
  return { path, [Symbol.dispose]: () => closeSync(lock) };
}

async function lockDirectory(
  base: string,
  sharing: CacheMount["sharing"],
  signal: AbortSignal | undefined,
): Promise<{ readonly path: string; readonly lock: number }> {
  for (let number = 0; ; number += 1) {
    const path = number === 0 ? base : `${base}.${number}`;
    const lock = openSync(`${path}.lock`, "a", 0o600);
    if (sharing === "private") {
      // The first that nobody has.
      if (tryFlock(lock, "exclusive")) return { path, lock };
      closeSync(lock);
      continue;
    }
    try {
      await flock(lock, sharing === "locked" ? "exclusive" : "shared", signal);
      return { path, lock };
    } catch (error) {
      closeSync(lock);
      throw error;
    }
  }
}

/** Under another name first: one that is there has its owner. */
function makeDirectory(path: string, mount: CacheMount): void {
  const half = `${path}.${process.pid}.new`;
  removeTree(half);
  mkdirSync(half, { mode: 0o700 });
  setOwner(half, mount);
  if (existsSync(path)) removeTree(half);
  else renameSync(half, path);
}

export interface CacheMountsUsage {
  readonly mounts: number;
  /** Of those, which a build is using. */
  readonly active: number;
  /** Bytes on the disk. */
  readonly size: number;
  /** Of those that no build is using. */
  readonly reclaimable: number;
}

/** Looks at every file of theirs. */
export function readCacheMountsUsage(engine: Engine): CacheMountsUsage {
  const found = [...eachCacheMount(engine)];
  const sizeOf = (some: typeof found) => some.reduce((sum, { size }) => sum + size, 0);
  const free = found.filter(({ isFree }) => isFree);
  return {
    mounts: found.length,
    active: found.length - free.length,
    size: sizeOf(found),
    reclaimable: sizeOf(free),
  };
}

/**
 * Removes those that no build is using. Builds that come meanwhile make theirs anew. Answers how many bytes
 * that has freed.
 */
export function pruneCacheMounts(engine: Engine): number {
  let freed = 0;
  for (const { path, size, isFree } of eachCacheMount(engine)) {
    if (!isFree) continue;
    removeTree(path);
    freed += size;
  }
  return freed;
}

/** Each while its lock is held, if no build has it. */
function* eachCacheMount(
  engine: Engine,
): Generator<{ readonly path: string; readonly size: number; readonly isFree: boolean }> {
  const directory = cacheMountsDirectory(engine);
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory).filter((each) => each.endsWith(".lock"))) {
    const path = join(directory, name.slice(0, -".lock".length));
    // The lock's file stays when the directory goes: whoever waits for it has it open.
    const lock = openSync(join(directory, name), "a", 0o600);
    try {
      const isFree = tryFlock(lock, "exclusive");
      if (existsSync(path)) yield { path, size: treeSize(path, new Set()), isFree };
    } finally {
      closeSync(lock);
    }
  }
}
