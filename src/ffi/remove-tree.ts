/**
 * Removing what a container has written. It may have made trees of any depth (deeper than PATH_MAX,
 * deeper than we may have files open), names in any bytes, and links to anywhere.
 */
import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { renameAt, unlinkAt } from "./at.ts";
import { openDirectoryAt } from "./directory.ts";
import { O_PATH } from "./openat2.ts";

const { O_DIRECTORY } = constants;

/** Descriptors held at most: below this depth a directory is first moved up to the top. */
const MAX_DEPTH = 64;

/**
 * Removes a file or a directory with all its contents; what is gone already is fine. Nothing is
 * resolved but single names below open directories, so no link leads elsewhere.
 * Throws PERMISSION, naming the first file that cannot be removed (an immutable one, say).
 */
export function removeTree(path: string): void {
  let parent: number;
  try {
    parent = openSync(dirname(path), O_PATH | O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    throw error;
  }
  try {
    new TreeRemoval(parent).remove(parent, Buffer.from(basename(path)), path, 0);
  } finally {
    closeSync(parent);
  }
}

/** The same for one name in an open directory. */
export function removeTreeAt(parentFd: number, name: Uint8Array): void {
  new TreeRemoval(parentFd).remove(parentFd, name, Buffer.from(name).toString(), 0);
}

class TreeRemoval {
  readonly #top: number;
  #moved = 0;

  constructor(top: number) {
    this.#top = top;
  }

  remove(parentFd: number, name: Uint8Array, shown: string, depth: number): void {
    try {
      if (unlinkFile(parentFd, name)) return;
      if (depth > MAX_DEPTH) {
        this.#removeFromTop(parentFd, name, shown);
      } else {
        this.#removeContents(parentFd, name, shown, depth);
        unlinkAt(parentFd, name, { directory: true });
      }
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return;
      if (error instanceof TsrunError && error.code === "PERMISSION") throw error;
      if (!hasErrno(error, "EPERM", "EACCES", "EBUSY", "EROFS")) throw error;
      throw new TsrunError("PERMISSION", `cannot remove "${shown}"`, {
        hint: "It may be immutable (see lsattr; chattr -i), a mount point, or on a read-only file system.",
        cause: error,
      });
    }
  }

  #removeContents(parentFd: number, name: Uint8Array, shown: string, depth: number): void {
    const fd = openDirectoryAt(parentFd, name);
    try {
      const entries = readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" });
      for (const entry of entries) this.remove(fd, entry, `${shown}/${entry}`, depth + 1);
    } finally {
      closeSync(fd);
    }
  }

  /** A directory that is too deep starts again beside the root of the removal. */
  #removeFromTop(parentFd: number, name: Uint8Array, shown: string): void {
    this.#moved += 1;
    const moved = Buffer.from(`.tsrun-removing-${process.pid}-${this.#moved}`);
    renameAt({ dirFd: parentFd, name }, { dirFd: this.#top, name: moved });
    this.remove(this.#top, moved, shown, 0);
  }
}

/** False for a directory: EISDIR as Linux has it, EPERM as POSIX does. */
function unlinkFile(parentFd: number, name: Uint8Array): boolean {
  try {
    unlinkAt(parentFd, name);
    return true;
  } catch (error) {
    if (hasErrno(error, "EISDIR")) return false;
    throw error;
  }
}
