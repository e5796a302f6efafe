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

/** Removes those that no build is using. Builds that come meanwhile make theirs anew. */
export function pruneCacheMounts(engine: Engine): void {
  const directory = cacheMountsDirectory(engine);
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory).filter((each) => each.endsWith(".lock"))) {
    const path = join(directory, name.slice(0, -".lock".length));
    const lock = openSync(join(directory, name), "a", 0o600);
    try {
      // The lock's file stays: whoever waits for it has it open.
      if (tryFlock(lock, "exclusive")) removeTree(path);
    } finally {
      closeSync(lock);
    }
  }
}
