/** The writable layer of one container: made before its first run, removed with it. */
import { closeSync, mkdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { chmodAt, chownAt, openRoot, setTimesAt, statx } from "../ffi/index.ts";
import { removeTree } from "./remove-tree.ts";

export interface UpperDirectories {
  readonly dir: string;
  readonly work: string;
}

/**
 * Makes both directories below an existing one. The upper's own mode, owner and times are those of the
 * container's "/", so they are taken from the uppermost layer's. Throws Node's errors (ENOSPC, EROFS …).
 */
export function createUpper({ dir, work }: UpperDirectories, layers: readonly string[]): void {
  makeDirectory(dir, 0o755);
  faultPoint();
  makeDirectory(work, 0o700);
  const [top] = layers;
  if (top === undefined) return;
  const [from, to] = [openRoot(top), openRoot(dir)];
  try {
    const { uid, gid, mode, mtimeNs, atimeNs } = statx(from, "");
    chownAt(to, "", uid, gid);
    chmodAt(to, "", mode & 0o7777);
    setTimesAt(to, "", { atimeNs, mtimeNs });
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** A create that was killed may have left it, empty. */
function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
}

/** Whatever the container has put there. Throws as removeTree does; run again, it goes on where it failed. */
export function removeUpper({ dir, work }: UpperDirectories): void {
  removeTree(dir);
  faultPoint();
  removeTree(work);
}

/**
 * Lets a volatile upper be mounted once more. overlayfs marks it in its work directory and refuses it
 * afterwards, as its contents may be lost in a crash; within the same boot they are all there
 * (overlayfs.rst, "Volatile mount").
 */
export function forgetVolatile({ work }: Pick<UpperDirectories, "work">): void {
  removeTree(`${work}/work/incompat/volatile`);
}
