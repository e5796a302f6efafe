/**
 * One member of a tar archive, checked: what it asks for, before anything is done.
 */
import { posix } from "node:path";
import { invalid } from "./invalid-member.ts";
import { isOverlayXattr } from "./overlay-marks.ts";
import { parseSparse, type Sparse } from "./sparse.ts";
import type { TarHeader } from "./tar-bytes.ts";

export type EntryType = "file" | "link" | "symlink" | "directory" | "device" | "fifo";

export interface Entry {
  readonly type: EntryType;
  /** Below the layer's root, without "./" or a slash in front; "" is the root itself. One character a byte. */
  readonly path: string;
  readonly linkname: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly device:
    | { readonly kind: "block" | "character"; readonly major: number; readonly minor: number }
    | undefined;
  readonly xattrs: ReadonlyMap<string, string>;
  /** Of a file that is stored without its holes. */
  readonly sparse?: Sparse | undefined;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  file: "file",
  "contiguous-file": "file",
  link: "link",
  symlink: "symlink",
  directory: "directory",
  "block-device": "device",
  "character-device": "device",
  fifo: "fifo",
};

/** The records of a pax extended header, by keyword. */
type Pax = Readonly<Record<string, string>>;

const MAX_PATH_BYTES = 4095;

/** Throws IMAGE_INVALID, naming the member, for one that leads outside or cannot be unpacked. */
export function parseEntry(header: TarHeader): Entry {
  const type = TYPES[header.type ?? "file"];
  const pax = header.pax ?? {};
  if (!type) {
    throw invalid(
      header.name,
      `is of a type that cannot be unpacked (${header.type ?? "unknown"})`,
    );
  }
  const sparse = type === "file" ? parseSparse(header.name, pax) : undefined;
  // The name in the header of a sparse member is made up: not every tar knows them.
  const path = parsePath((sparse && pax["GNU.sparse.name"]) ?? header.name);
  if (path === "" && type !== "directory") throw invalid(header.name, "has no name");
  return {
    type,
    path,
    linkname: header.linkname ?? "",
    size: header.size ?? 0,
    mode: (header.mode ?? 0) & 0o7777,
    ...parseOwner(header, pax),
    mtimeNs: parseTime(pax["mtime"]) ?? BigInt(header.mtime?.getTime() ?? 0) * 1_000_000n,
    device: type === "device" ? parseDevice(header) : undefined,
    xattrs: parseXattrs(pax),
    sparse,
  };
}

function parseOwner(header: TarHeader, pax: Pax): Pick<Entry, "uid" | "gid"> {
  return {
    uid: paxNumber(pax["uid"]) ?? header.uid ?? 0,
    gid: paxNumber(pax["gid"]) ?? header.gid ?? 0,
  };
}

function parseDevice({ type, devmajor, devminor }: TarHeader): Entry["device"] {
  const kind = type === "block-device" ? "block" : "character";
  return { kind, major: devmajor ?? 0, minor: devminor ?? 0 };
}

/** The path of a member, or of the target of a hard link. */
export function parsePath(name: string): string {
  if (name.includes("\0")) throw invalid(name, "has a NUL byte in its name");
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalid(name, 'leads outside of the archive ("..")');
  const path = parts.join("/");
  if (path.length > MAX_PATH_BYTES || parts.some((part) => part.length > 255)) {
    throw invalid(posix.basename(name).slice(0, 60), "has too long a name");
  }
  return path;
}

function paxNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Decimal seconds, perhaps negative, with up to nine digits behind the point; pax(1), "mtime". */
function parseTime(text: string | undefined): bigint | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text ?? "");
  if (!match) return undefined;
  const [, sign, seconds = "0", fraction = ""] = match;
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
  return sign === "-" ? -ns : ns;
}

const XATTR_PREFIX = "SCHILY.xattr.";

function parseXattrs(pax: Pax): ReadonlyMap<string, string> {
  const xattrs = new Map<string, string>();
  for (const [key, value] of Object.entries(pax)) {
    if (!key.startsWith(XATTR_PREFIX)) continue;
    const name = key.slice(XATTR_PREFIX.length);
    // An archive must not forge what the overlay itself writes.
    if (!isOverlayXattr(name)) xattrs.set(name, value);
  }
  return xattrs;
}
