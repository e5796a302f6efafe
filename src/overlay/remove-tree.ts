/**
 * Removes a tree whose contents are not trusted: names that are no UTF-8, links to anywhere, directories
 * without permissions or nested deeper than a path can be long. Everything is removed by name in an
 * open directory, so nothing outside can be reached.
 */
import { closeSync, constants, opendirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { openat2, openRoot, RESOLVE, renameAt, unlinkAt } from "../ffi/index.ts";

/** Directories open at once; a deeper one is moved up first. */
const MAX_DEPTH = 64;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Removes `path` and everything in it; nothing happens if it is not there. `path`'s parent is trusted.
 * Throws PERMISSION for an immutable file and WRONG_STATE for a mount point, naming it.
 */
export function removeTree(path: string): void {
  let parent: number;
  try {
    parent = openRoot(dirname(path));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    throw error;
  }
  try {
    new Removal(parent, path).remove(Buffer.from(basename(path)));
  } finally {
    closeSync(parent);
  }
}

class Removal {
  readonly #parent: number;
  readonly #path: string;
  #moved = 0;

  constructor(parent: number, path: string) {
    this.#parent = parent;
    this.#path = path;
  }

  remove(name: Buffer): void {
    if (unlinked(this.#parent, name, this.#path)) return;
    // Directories that were too deep have been moved beside the deep ones' top, so again until it is empty.
    while (!this.#removed(name)) {
      const fd = openDirectory(this.#parent, name);
      if (fd === undefined) return;
      try {
        this.#empty(fd, fd, [this.#path]);
      } finally {
        closeSync(fd);
      }
    }
  }

  #removed(name: Buffer): boolean {
    try {
      unlinkAt(this.#parent, name, { directory: true });
      return true;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return true;
      if (hasErrno(error, "ENOTEMPTY", "EEXIST")) return false;
      throw explained(error, this.#path);
    }
  }

  /** `top` takes the directories that lie too deep. */
  #empty(fd: number, top: number, path: readonly string[]): void {
    for (const { name, isDirectory } of entries(fd)) {
      const here = [...path, name.toString()];
      if (!isDirectory && unlinked(fd, name, here.join("/"))) continue;
      if (path.length >= MAX_DEPTH) this.#moveUp(fd, name, top, here);
      else this.#removeDirectory(fd, name, top, here);
    }
  }

  #removeDirectory(fd: number, name: Buffer, top: number, path: readonly string[]): void {
    const child = openDirectory(fd, name);
    if (child === undefined) return;
    try {
      this.#empty(child, top, path);
    } finally {
      closeSync(child);
    }
    try {
      unlinkAt(fd, name, { directory: true });
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw explained(error, path.join("/"));
    }
  }

  #moveUp(fd: number, name: Buffer, top: number, path: readonly string[]): void {
    for (;;) {
      this.#moved += 1;
      try {
        renameAt({ dirFd: fd, name }, { dirFd: top, name: `.tsrun-deep-${this.#moved}` }, "keep");
        return;
      } catch (error) {
        if (hasErrno(error, "ENOENT")) return;
        if (!hasErrno(error, "EEXIST")) throw explained(error, path.join("/"));
      }
    }
  }
}

/** False if it is a directory. */
function unlinked(dirFd: number, name: Buffer, path: string): boolean {
  try {
    unlinkAt(dirFd, name);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true;
    if (hasErrno(error, "EISDIR")) return false;
    throw explained(error, path);
  }
}

function openDirectory(dirFd: number, name: Buffer): number | undefined {
  try {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    return openat2(dirFd, name, { flags, resolve: RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS });
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function* entries(fd: number): Generator<{ name: Buffer; isDirectory: boolean }> {
  // @types/node knows no "buffer" here; Node gives names as Buffers.
  const dir = opendirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" as BufferEncoding });
  try {
    for (let entry = dir.readSync(); entry; entry = dir.readSync()) {
      yield { name: entry.name as unknown as Buffer, isDirectory: entry.isDirectory() };
    }
  } finally {
    dir.closeSync();
  }
}

function explained(error: unknown, path: string): unknown {
  if (hasErrno(error, "EPERM")) {
    return new TsrunError("PERMISSION", `cannot remove "${path}": it is immutable or append-only`, {
      hint: `Clear the attribute: chattr -ia "${path}".`,
      cause: error,
      errno: "EPERM",
    });
  }
  if (hasErrno(error, "EBUSY")) {
    return new TsrunError("WRONG_STATE", `cannot remove "${path}": something is mounted on it`, {
      hint: `Unmount it: umount "${path}".`,
      cause: error,
      errno: "EBUSY",
    });
  }
  return error;
}
