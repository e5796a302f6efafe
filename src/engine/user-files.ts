import { closeSync } from "node:fs";
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
  if (only === undefined || roots.length > 1) {
    return userFiles((path) => readMergedFile(roots, path));
  }
  const fd = openRoot(only);
  try {
    return userFiles((path) => readIfThere(fd, path));
  } finally {
    closeSync(fd);
  }
}

function userFiles(read: (path: string) => Uint8Array | undefined): UserFiles {
  const text = (path: string) => Buffer.from(read(path) ?? "").toString();
  return { passwd: text("/etc/passwd"), group: text("/etc/group") };
}

function readIfThere(root: number, path: string): Uint8Array | undefined {
  try {
    return readFileInRoot(root, path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    // Something that is no file: the container has none either.
    if (error instanceof TsrunError && error.code === "INVALID_ARGUMENT") return undefined;
    throw error;
  }
}
