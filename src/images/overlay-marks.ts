/**
 * What overlayfs itself writes into an upper: whiteouts, opaque directories, and attributes of its own,
 * which are no part of a layer (overlayfs.rst, "whiteouts and opaque directories").
 */
import { hasErrno, TsrunError } from "../base/errors.ts";
import { getXattr, listXattrs, type Statx, setXattr } from "../ffi/index.ts";

const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** Mounted by root it is "trusted.", in a user namespace (userxattr) "user.". */
const OVERLAY_XATTR = /^(?:trusted|user)\.overlay\.(.*)$/s;

/** Labels that the host's own security policy gave to the files: they mean nothing elsewhere. */
export const HOST_LABELS: ReadonlySet<string> = new Set([
  "security.selinux",
  "security.ima",
  "security.evm",
]);

export function isOverlayXattr(name: string): boolean {
  return OVERLAY_XATTR.test(name);
}

/** The attributes of an open file (O_PATH is enough) that belong to its contents, by name, in order. */
export function readOwnXattrs(fd: number): readonly string[] {
  return listXattrs(magicLink(fd))
    .filter((name) => !isOverlayXattr(name) && !HOST_LABELS.has(name))
    .sort();
}

/** For xattr calls: it leads to what is open, be that a symbolic link. */
export function magicLink(fd: number): { readonly path: string; readonly follow: true } {
  return { path: `/proc/self/fd/${fd}`, follow: true };
}

/** Marks an open directory as one that hides what is below, for the mounts that its maker can make. */
export function setOpaque(fd: number): void {
  const value = Buffer.from("y");
  try {
    setXattr(magicLink(fd), "trusted.overlay.opaque", value);
  } catch (error) {
    // xattr(7): trusted ones are for the host's root; overlayfs.rst, "userxattr".
    if (!hasErrno(error, "EPERM")) throw error;
    setXattr(magicLink(fd), "user.overlay.opaque", value);
  }
}

export type OverlayMark = "whiteout" | "opaque" | undefined;

/**
 * What an entry of an upper says about the layers below it. Throws OVERLAY_UNSUPPORTED for one that
 * cannot be understood without them: a renamed directory, or a file whose contents lie there. tsrun's
 * own mounts make neither.
 */
export function readOverlayMark(fd: number, stat: Statx, path: string): OverlayMark {
  const type = stat.mode & S_IFMT;
  if (type === S_IFCHR && stat.rdevMajor === 0 && stat.rdevMinor === 0) return "whiteout";
  if (type !== S_IFDIR && type !== S_IFREG) return undefined;
  const marks = new Map<string, string>();
  for (const name of listXattrs(magicLink(fd))) {
    const mark = OVERLAY_XATTR.exec(name)?.[1];
    if (mark !== undefined) marks.set(mark, name);
  }
  if (marks.has("redirect")) throw incomplete(path, "has a directory that was renamed");
  if (marks.has("metacopy")) throw incomplete(path, "has a file without its contents");
  if (type === S_IFREG) return stat.size === 0n && marks.has("whiteout") ? "whiteout" : undefined;
  const opaque = marks.get("opaque");
  // "x" only says that there are whiteouts in attribute form inside.
  return opaque !== undefined && readText(fd, opaque) === "y" ? "opaque" : undefined;
}

function readText(fd: number, name: string): string {
  return Buffer.from(getXattr(magicLink(fd), name) ?? "").toString();
}

function incomplete(path: string, what: string): TsrunError {
  return new TsrunError("OVERLAY_UNSUPPORTED", `the writable layer ${what}: "${path}"`, {
    hint: "Something else than tsrun has mounted it with redirect_dir or metacopy on.",
  });
}
