/**
 * Records that are either there whole or not there: written to `PATH.tmp` and renamed.
 * A crash leaves the old record, and perhaps a `.tmp` that the next writer overwrites, so writers of
 * the same path must exclude each other (a lock, or an exclusively made directory).
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface AtomicWriteOptions {
  /** Permissions of a new file; 0o644 without it. */
  readonly mode?: number;
  /** Whether it must survive a power cut: syncs the file before and the directory after the rename. */
  readonly durable?: boolean;
}

/** Throws Node's own error (ENOSPC, EROFS, EACCES …); the old contents are then untouched. fsync(2). */
export function writeFileAtomic(
  path: string,
  contents: string | Uint8Array,
  { mode = 0o644, durable = false }: AtomicWriteOptions = {},
): void {
  const unfinished = `${path}.tmp`;
  try {
    const fd = openSync(unfinished, "w", mode);
    try {
      writeFileSync(fd, contents);
      if (durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  if (durable) syncDirectory(dirname(path));
}

/** Makes renames and new names in the directory survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
