import { closeSync, lstatSync, openSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { readFileInRoot } from "../ffi/index.ts";
import type { UserFiles } from "./bundle/user.ts";

const O_PATH_DIRECTORY = 0o10000000 | 0o200000;

/**
 * /etc/passwd and /etc/group as the container sees them: of the roots (the writable layer first, or
 * one whole root) the first that has the file counts. No link in them leads outside.
 */
export function readUserFiles(roots: readonly string[]): UserFiles {
  const fds: number[] = [];
  try {
    for (const root of roots) {
      if (hasNoEtc(root)) continue;
      const fd = openIfThere(root);
      if (fd !== undefined) fds.push(fd);
    }
    return { passwd: readFirst(fds, "/etc/passwd"), group: readFirst(fds, "/etc/group") };
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** As a rule for a writable layer. An "etc" that is a link is followed later, below the root. */
function hasNoEtc(root: string): boolean {
  return lstatSync(`${root}/etc`, { throwIfNoEntry: false }) === undefined;
}

/** A writable layer that is not made yet hides nothing. */
function openIfThere(root: string): number | undefined {
  try {
    return openSync(root, O_PATH_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function readFirst(rootFds: readonly number[], path: string): string {
  for (const fd of rootFds) {
    try {
      return Buffer.from(readFileInRoot(fd, path)).toString();
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) continue;
      // A whiteout, or something else that is no file: the container has none either.
      if (error instanceof TsrunError && error.code === "INVALID_ARGUMENT") return "";
      throw error;
    }
  }
  return "";
}
