/** Locks that go with their descriptor, on files that may be removed while one waits. flock(2). */
import { closeSync, fstatSync, statSync } from "node:fs";
import { flock, type LockKind, tryFlock } from "./flock.ts";

/** Held until it is disposed of. */
export type FileLock = Disposable;

/** The lock that this descriptor has: disposing of it closes the descriptor, once. */
export function heldLock(fd: number): FileLock {
  let open = true;
  return {
    [Symbol.dispose]: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

/**
 * Waits for the lock on an open file; undefined where `path`, if given, is not that file by then. Rejects
 * with ABORTED. Without a lock the descriptor is closed.
 */
export async function lockFile(
  fd: number,
  kind: LockKind,
  { path, signal }: { readonly path?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<FileLock | undefined> {
  try {
    if (!tryFlock(fd, kind)) await flock(fd, kind, signal);
    if (path === undefined || isStillAt(fd, path)) return heldLock(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

/**
 * The exclusive lock on an open file if nobody has any, at once; else "held", or "gone" where `path`, if
 * given, is not that file. Without a lock the descriptor is closed.
 */
export function tryLockFile(fd: number, path?: string): FileLock | "held" | "gone" {
  let why: "held" | "gone" = "held";
  try {
    if (tryFlock(fd, "exclusive")) {
      if (path === undefined || isStillAt(fd, path)) return heldLock(fd);
      why = "gone";
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return why;
}

/** False if the file was removed, or another put in its place, while the lock was waited for. */
export function isStillAt(fd: number, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(fd);
  return there?.dev === dev && there.ino === ino;
}
