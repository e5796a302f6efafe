/**
 * Layers looked at without a mount: does a path exist in the stack, and as what? Follows overlayfs's
 * rules for whiteouts (a character device 0/0, or an empty file with the whiteout xattr) and opaque
 * directories (overlayfs.rst, "whiteouts and opaque directories").
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import {
  getXattr,
  O_PATH,
  openat2,
  openRoot,
  RESOLVE,
  readFileInRoot,
  readLinkInRoot,
  type Statx,
  statx,
  type Text,
} from "../ffi/index.ts";

const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** A link on the way is no directory of this layer: what is behind it, only the whole stack knows. */
const RESOLVE_LAYER = RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS;

export type EntryKind = "whiteout" | "opaque-directory" | "directory" | "other";

export interface LayerEntry {
  readonly kind: EntryKind;
  readonly stat: Statx;
}

/** One layer as an open directory; nothing leads out of it. */
export class Layer implements Disposable {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openRoot(path);
  }

  /** What is at `path` ("/a/b"); links are not followed. undefined where there is nothing. */
  entry(path: Text): LayerEntry | undefined {
    const fd = this.#open(path, O_PATH);
    if (fd === undefined) return undefined;
    try {
      const stat = statx(fd, "");
      return { kind: entryKind(fd, stat), stat };
    } finally {
      closeSync(fd);
    }
  }

  /** The names in the directory at `path`; none where there is no directory. */
  names(path: Text): readonly Buffer[] {
    const fd = this.#open(path, O_RDONLY | O_DIRECTORY);
    if (fd === undefined) return [];
    try {
      return readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" });
    } finally {
      closeSync(fd);
    }
  }

  /** What the regular file at `path`, an entry of this layer, holds. */
  read(path: string): Buffer {
    return Buffer.from(readFileInRoot(this.#fd, path));
  }

  /** Where the link at `path`, an entry of this layer, leads. */
  readLink(path: string): string {
    return Buffer.from(readLinkInRoot(this.#fd, path)).toString();
  }

  #open(path: Text, flags: number): number | undefined {
    try {
      return openat2(this.#fd, path.length === 0 ? "." : path, {
        flags: flags | O_NOFOLLOW,
        resolve: RESOLVE_LAYER,
      });
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw error;
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

/** What the stack of these layers (uppermost first) shows at `path`, and which of them shows it. */
export function entryInLayers(
  layers: readonly Layer[],
  path: Text,
): (LayerEntry & { readonly layer: Layer }) | undefined {
  for (const layer of layers) {
    const entry = layer.entry(path);
    if (entry) return entry.kind === "whiteout" ? undefined : { ...entry, layer };
    if (hides(layer, path)) return undefined;
  }
  return undefined;
}

/** True if a directory above `path` is replaced, opaque or whited out in this layer. */
function hides(layer: Layer, path: Text): boolean {
  const bytes = Buffer.from(path);
  for (let at = bytes.lastIndexOf(SLASH); at > 0; at = bytes.lastIndexOf(SLASH, at - 1)) {
    const above = layer.entry(bytes.subarray(0, at));
    if (above && above.kind !== "directory") return true;
  }
  return false;
}

const SLASH = 0x2f;
