/**
 * One command at a time changes a container: an flock on its directory. The kernel drops it with the
 * last descriptor, so a killed command leaves no lock behind, and a removed container no lock's file.
 */
import { constants, openSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { type FileLock, lockFile, tryLockFile } from "../../ffi/index.ts";
import { containerPaths, type Engine, locksDirectory } from "../engine.ts";
import type { ContainerId } from "../records.ts";
import { inStore, storeError } from "./store-error.ts";

/** Held until it is disposed of. */
export type Lock = FileLock;

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
  return lockFile(fd, "exclusive", { path, signal });
}

/** The lock if nobody holds it; else "held" or "gone", at once. */
export function tryLockContainer(engine: Engine, id: ContainerId): Lock | "held" | "gone" {
  const path = containerPaths(engine, id).dir;
  const fd = openDirectory(path);
  if (fd === undefined) return "gone";
  return tryLockFile(fd, path);
}

/** What is not one container's: the taking over of names, id ranges, the journal's rotation, layers. */
export type SharedLock = "names" | "userns" | "events" | "layers" | "projects";

export async function lockShared(engine: Engine, name: SharedLock): Promise<Lock> {
  const fd = openLockFile(`${locksDirectory(engine)}/${name}`);
  return (await lockFile(fd, "exclusive")) as Lock;
}

/** undefined if somebody holds it. */
export function tryLockShared(engine: Engine, name: SharedLock): Lock | undefined {
  const fd = openLockFile(`${locksDirectory(engine)}/${name}`);
  const lock = tryLockFile(fd);
  return typeof lock === "string" ? undefined : lock;
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
