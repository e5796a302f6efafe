/**
 * One command at a time changes a container: an flock on its directory. The kernel drops it with the
 * last descriptor, so a killed command leaves no lock behind, and a removed container no lock's file.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { flock, tryFlock } from "../../ffi/index.ts";
import { containerPaths, type Engine, locksDirectory } from "../engine.ts";
import type { ContainerId } from "../records.ts";
import { inStore, storeError } from "./store-error.ts";

/** Held until it is disposed of. */
export type Lock = Disposable;

/**
 * Waits until the container's lock is free, on the event loop; undefined for a container that is gone
 * by then. Rejects with ABORTED.
 */
export async function lockContainer(
  engine: Engine,
  id: ContainerId,
  signal?: AbortSignal,
): Promise<Lock | undefined> {
  const path = containerPaths(engine, id).dir;
  const fd = openDirectory(path);
  if (fd === undefined) return undefined;
  return lockFile(fd, signal, () => isStillAt(fd, path));
}

/** The lock if nobody holds it; else "held" or "gone", at once. */
export function tryLockContainer(engine: Engine, id: ContainerId): Lock | "held" | "gone" {
  const path = containerPaths(engine, id).dir;
  const fd = openDirectory(path);
  if (fd === undefined) return "gone";
  try {
    if (tryFlock(fd, "exclusive")) {
      if (isStillAt(fd, path)) return held(fd);
      closeSync(fd);
      return "gone";
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return "held";
}

/** What is not one container's: the taking over of names, id ranges, the journal's rotation, layers. */
export type SharedLock = "names" | "userns" | "events" | "layers";

export async function lockShared(engine: Engine, name: SharedLock): Promise<Lock> {
  const fd = openLockFile(`${locksDirectory(engine)}/${name}`);
  return (await lockFile(fd, undefined, () => true)) as Lock;
}

/** undefined if somebody holds it. */
export function tryLockShared(engine: Engine, name: SharedLock): Lock | undefined {
  const fd = openLockFile(`${locksDirectory(engine)}/${name}`);
  if (tryFlock(fd, "exclusive")) return held(fd);
  closeSync(fd);
  return undefined;
}

async function lockFile(
  fd: number,
  signal: AbortSignal | undefined,
  isThere: () => boolean,
): Promise<Lock | undefined> {
  try {
    if (!tryFlock(fd, "exclusive")) await flock(fd, "exclusive", signal);
    if (isThere()) return held(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

function openDirectory(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw storeError("lock", path, error);
  }
}

function openLockFile(path: string): number {
  return inStore("open the lock", path, () => {
    try {
      return openSync(path, "a", 0o600);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      makeDirectories(path.slice(0, path.lastIndexOf("/")), 0o711);
      return openSync(path, "a", 0o600);
    }
  });
}

function held(fd: number): Lock {
  let open = true;
  return {
    [Symbol.dispose]: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

/** False if the directory was removed while the lock was waited for. */
function isStillAt(fd: number, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && there.ino === fstatSync(fd).ino;
}
