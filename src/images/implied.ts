/**
 * Directories that a layer uses without describing them: they are as the layers below have them.
 */
import { closeSync, constants } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import {
  chmodAt,
  chownAt,
  getXattr,
  listXattrs,
  O_PATH,
  openInRoot,
  openRoot,
  setTimesAt,
  setXattr,
  statx,
} from "../ffi/index.ts";
import { isOverlayXattr } from "./overlay-marks.ts";
import { toBytes } from "./tar-bytes.ts";

const { O_DIRECTORY } = constants;

export interface DirectoryAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** As the uppermost of these layers that has the directory has it; undefined where none has. */
export function readAttributes(
  layers: readonly string[],
  path: string,
): DirectoryAttributes | undefined {
  for (const layer of layers) {
    const root = openRoot(layer);
    try {
      const fd = openDirectory(root, path);
      if (fd === undefined) continue;
      try {
        return attributesOf(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(root);
    }
  }
  return undefined;
}

function openDirectory(root: number, path: string): number | undefined {
  try {
    return openInRoot(root, toBytes(path || "."), { flags: O_PATH | O_DIRECTORY });
  } catch (error) {
    // ENOTDIR is also what a whiteout answers: then the directory begins anew above it.
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

function attributesOf(fd: number): DirectoryAttributes {
  const { mode, uid, gid, mtimeNs } = statx(fd, "");
  const target = { path: `/proc/self/fd/${fd}`, follow: true };
  const xattrs = new Map<string, Uint8Array>();
  for (const name of listXattrs(target)) {
    const value = isOverlayXattr(name) ? undefined : getXattr(target, name);
    if (value) xattrs.set(name, value);
  }
  return { mode: mode & 0o7777, uid, gid, mtimeNs, xattrs };
}

/** Apart from the time, which says little of a directory. */
export function sameAttributes(root: number, path: string, wanted: DirectoryAttributes): boolean {
  const fd = openDirectory(root, path);
  if (fd === undefined) return true;
  try {
    const has = attributesOf(fd);
    const same = has.mode === wanted.mode && has.uid === wanted.uid && has.gid === wanted.gid;
    return same && has.xattrs.size === 0 && wanted.xattrs.size === 0;
  } finally {
    closeSync(fd);
  }
}

export function copyAttributes(
  layer: string,
  implied: readonly string[],
  below: readonly string[],
): void {
  const root = openRoot(layer);
  try {
    for (const path of implied) {
      const wanted = readAttributes(below, path);
      if (wanted) setAttributes(root, path, wanted);
    }
  } finally {
    closeSync(root);
  }
}

function setAttributes(root: number, path: string, wanted: DirectoryAttributes): void {
  const fd = openDirectory(root, path);
  if (fd === undefined) return;
  try {
    chownAt(fd, "", wanted.uid, wanted.gid);
    const target = { path: `/proc/self/fd/${fd}`, follow: true };
    for (const [name, value] of wanted.xattrs) setXattr(target, name, value);
    chmodAt(fd, "", wanted.mode);
    setTimesAt(fd, "", { atimeNs: wanted.mtimeNs, mtimeNs: wanted.mtimeNs });
  } finally {
    closeSync(fd);
  }
}
