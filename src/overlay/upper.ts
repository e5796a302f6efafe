import { chmodSync, chownSync, mkdirSync, statSync } from "node:fs";
import { AT_FDCWD, setTimesAt } from "../ffi/index.ts";

/** A container's writable layer: both on the same file system. */
export interface Upper {
  readonly dir: string;
  /** overlayfs wants it empty and to itself. */
  readonly work: string;
}

/**
 * Makes both directories. The upper's own mode, owner and time become those of the container's "/", so
 * they are taken from the layer below it.
 */
export function createUpper({ dir, work }: Upper, below: string | undefined): void {
  mkdirSync(dir, { mode: 0o755 });
  mkdirSync(work, { mode: 0o700 });
  if (below === undefined) return;
  const { mode: fullMode, uid, gid, mtimeNs } = statSync(below, { bigint: true });
  const mode = Number(fullMode) & 0o7777;
  if (uid !== 0n || gid !== 0n) chownSync(dir, Number(uid), Number(gid));
  if (mode !== 0o755) chmodSync(dir, mode);
  setTimesAt(AT_FDCWD, dir, { atimeNs: mtimeNs, mtimeNs });
}
