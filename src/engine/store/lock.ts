/**
 * One command at a time changes a container: an flock on RUN/locks/ID. The kernel drops it with the
 * last descriptor, so a killed command leaves no lock behind.
 */
import { closeSync, fstatSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { flock, tryFlock } from "../../ffi/index.ts";
import { type Engine, locksDirectory } from "../engine.ts";
import { inStore } from "./store-error.ts";

export interface Lock extends Disposable {
  /** Removes the lock's file as well: the thing that it guarded is gone. */
  removeFile(): void;
}

/** Waits until the lock is free, on the event loop. Rejects with ABORTED. */
export async function lock(engine: Engine, name: string, signal?: AbortSignal): Promise<Lock> {
  const path = lockPath(engine, name);
  for (;;) {
    const fd = openLockFile(path);
    try {
      if (!tryFlock(fd, "exclusive")) await flock(fd, "exclusive", signal);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    if (isStillAt(fd, path)) return held(fd, path);
    closeSync(fd); // its last holder removed the file: another command may hold a new one
  }
}

/** The lock if nobody holds it, else undefined at once. */
export function tryLock(engine: Engine, name: string): Lock | undefined {
  const path = lockPath(engine, name);
  const fd = openLockFile(path);
  try {
    if (tryFlock(fd, "exclusive") && isStillAt(fd, path)) return held(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

function lockPath(engine: Engine, name: string): string {
  return `${locksDirectory(engine)}/${name}`;
}

function openLockFile(path: string): number {
  return inStore("open the lock", path, () => {
    try {
      return openSync(path, "a", 0o600);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o711 });
      return openSync(path, "a", 0o600);
    }
  });
}

function held(fd: number, path: string): Lock {
  let open = true;
  return {
    removeFile: () => rmSync(path, { force: true }),
    [Symbol.dispose]: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

/** False if the path names another file by now, or none. */
function isStillAt(fd: number, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && there.ino === fstatSync(fd).ino;
}
