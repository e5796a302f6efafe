<<<<<<< ours
import { closeSync, lstatSync, openSync } from "node:fs";
=======
import { closeSync } from "node:fs";
>>>>>>> theirs
import { hasErrno, TsrunError } from "../base/errors.ts";
import { openRoot, readFileInRoot } from "../ffi/index.ts";
import { readMergedFile } from "../overlay/index.ts";
import type { UserFiles } from "./bundle/user.ts";

/**
 * /etc/passwd and /etc/group as the container sees them, "" where it has none: in one whole root, or in
 * its layers, uppermost first. No link in them leads outside.
 */
export function readUserFiles(roots: readonly string[]): UserFiles {
  const [only] = roots;
  if (only === undefined || roots.length > 1)
    return userFiles((path) => readMergedFile(roots, path));
  const fd = openRoot(only);
  try {
<<<<<<< ours
    for (const root of roots) {
      if (hasNoEtc(root)) continue;
      const fd = openIfThere(root);
      if (fd !== undefined) fds.push(fd);
    }
    return { passwd: readFirst(fds, "/etc/passwd"), group: readFirst(fds, "/etc/group") };
=======
    return userFiles((path) => readIfThere(fd, path));
>>>>>>> theirs
  } finally {
    closeSync(fd);
  }
}

<<<<<<< ours
/** As a rule for a writable layer. An "etc" that is a link is followed later, below the root. */
function hasNoEtc(root: string): boolean {
  return lstatSync(`${root}/etc`, { throwIfNoEntry: false }) === undefined;
}

/** A writable layer that is not made yet hides nothing. */
function openIfThere(root: string): number | undefined {
=======
function userFiles(read: (path: string) => Uint8Array | undefined): UserFiles {
  const text = (path: string) => Buffer.from(read(path) ?? "").toString();
  return { passwd: text("/etc/passwd"), group: text("/etc/group") };
}

function readIfThere(root: number, path: string): Uint8Array | undefined {
>>>>>>> theirs
  try {
    return readFileInRoot(root, path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    // Something that is no file: the container has none either.
    if (error instanceof TsrunError && error.code === "INVALID_ARGUMENT") return undefined;
    throw error;
  }
}
