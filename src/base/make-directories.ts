import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { hasErrno } from "./errors.ts";

/**
 * A directory with all that is missing above it, each with `mode`; one that exists is left as it is.
 * Node's own recursive mkdir says ENOENT where a file system is read-only; this throws the true errno.
 * mkdir(2).
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    let missing = path;
    while (!existsSync(dirname(missing))) missing = dirname(missing);
    mkdirSync(missing, { mode });
    makeDirectories(path, mode);
  }
}
