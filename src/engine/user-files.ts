import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { openRoot, readFileInRoot } from "../ffi/index.ts";
import { readMergedFiles } from "../overlay/index.ts";
import type { UserFiles } from "./bundle/user.ts";

/**
 * /etc/passwd and /etc/group as the container sees them, "" where it has none: in one whole root, or in
 * its layers, uppermost first. No link in them leads outside.
 */
export function readUserFiles(roots: readonly string[]): UserFiles {
  const [only] = roots;
  if (only === undefined || roots.length > 1) {
    return userFiles(readMergedFiles(roots, "etc", ["passwd", "group"]));
  }
  const fd = openRoot(only);
  try {
    return userFiles([readIfThere(fd, "/etc/passwd"), readIfThere(fd, "/etc/group")]);
  } finally {
    closeSync(fd);
  }
}

function userFiles([passwd, group]: readonly (Uint8Array | undefined)[]): UserFiles {
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? "").toString();
  return { passwd: text(passwd), group: text(group) };
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
