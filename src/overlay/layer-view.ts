/**
 * Layers looked at without a mount: does a path exist in the stack, and as what? Follows overlayfs's
 * rules for whiteouts (a character device 0/0, or an empty file with the whiteout xattr) and opaque
 * directories (overlayfs.rst, "whiteouts and opaque directories").
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { getXattr, O_PATH, openInRoot, openRoot, type Statx, statx } from "../ffi/index.ts";

const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

export type EntryKind = "whiteout" | "opaque-directory" | "directory" | "other";

/** One layer as an open directory; nothing leads out of it. */
export class Layer implements Disposable {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openRoot(path);
  }

  /** What is at `path` ("/a/b"); links are not followed. undefined where there is nothing. */
  entry(path: string): { readonly kind: EntryKind; readonly stat: Statx } | undefined {
    let fd: number;
    try {
      fd = openInRoot(this.#fd, path, { flags: O_PATH | O_NOFOLLOW });
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
    try {
      const stat = statx(fd, "");
      return { kind: entryKind(fd, stat), stat };
    } finally {
      closeSync(fd);
    }
  }

  /** The names in the directory at `path`; none where there is no directory. */
  names(path: string): readonly string[] {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    let fd: number;
    try {
      fd = openInRoot(this.#fd, path, { flags });
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return [];
      throw error;
    }
    try {
      return readdirSync(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

export function entryKind(fd: number, stat: Statx): EntryKind {
  const type = stat.mode & S_IFMT;
  if (type === S_IFCHR && stat.rdevMajor === 0 && stat.rdevMinor === 0) return "whiteout";
  const magic = `/proc/self/fd/${fd}`;
  if (type === S_IFDIR) return isOpaque(magic) ? "opaque-directory" : "directory";
  // The xattr form is only ever an empty file.
  return stat.size === 0n && hasOverlayXattr(magic, "whiteout") ? "whiteout" : "other";
}

/** "y" hides what is below; "x" only says that whiteouts in xattr form are inside. */
function isOpaque(path: string): boolean {
  return OVERLAY_XATTRS.some((prefix) => {
    const value = readXattr(path, `${prefix}opaque`);
    return value !== undefined && Buffer.from(value).toString() === "y";
  });
}

function hasOverlayXattr(path: string, name: string): boolean {
  return OVERLAY_XATTRS.some((prefix) => readXattr(path, `${prefix}${name}`) !== undefined);
}

const OVERLAY_XATTRS = ["trusted.overlay.", "user.overlay."];

function readXattr(path: string, name: string): Uint8Array | undefined {
  try {
    return getXattr({ path, follow: true }, name);
  } catch (error) {
    // The file system has no such xattrs, or user ones not on this kind of file.
    if (hasErrno(error, "EOPNOTSUPP", "EPERM", "EACCES")) return undefined;
    throw error;
  }
}

/** Whether `path` exists in the stack (uppermost first) that these layers make. */
export function existsInLayers(layers: readonly Layer[], path: string): boolean {
  for (const layer of layers) {
    const entry = layer.entry(path);
    if (entry) return entry.kind !== "whiteout";
    if (hides(layer, path)) return false;
  }
  return false;
}

/** True if a directory above `path` is replaced, opaque or whited out in this layer. */
function hides(layer: Layer, path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const above = layer.entry(`/${parts.slice(0, length).join("/")}`);
    if (above && above.kind !== "directory") return true;
  }
  return false;
}
