import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";

/** A container's writable layer: both on the same file system. */
export interface Upper {
  readonly dir: string;
  /** overlayfs wants it empty and to itself. */
  readonly work: string;
}

/**
 * Makes both directories. The upper's own mode and owner become those of the container's "/", so they
 * are taken from the layer below it.
 */
export function createUpper({ dir, work }: Upper, below: string | undefined): void {
  mkdirSync(dir, { mode: 0o755 });
  mkdirSync(work, { mode: 0o700 });
  if (below === undefined) return;
  const { mode, uid, gid } = statSync(below);
  if (uid !== 0 || gid !== 0) chownSync(dir, uid, gid);
  if ((mode & 0o7777) !== 0o755) chmodSync(dir, mode & 0o7777);
}
