/**
 * A file as a tar member's header: what fits ustar's fields there, all else as PAX records. pax(1).
 */
import { getXattr, readLinkInRoot, type Statx } from "../ffi/index.ts";
import { magicLink, readOwnXattrs } from "./overlay-marks.ts";
import { fromBytes, type TarHeader } from "./tar-bytes.ts";

const S_IFMT = 0o170000;

/** st_mode's file types. A Map: the formatter rewrites octal property names, and wrongly. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "character-device"],
  [0o060000, "block-device"],
  [0o010000, "fifo"],
]);

/** undefined for a socket, which an archive cannot hold. */
export function memberType({ mode }: Statx): string | undefined {
  return TYPES.get(mode & S_IFMT);
}

/** A file that is being packed. */
export interface PackedFile {
  /** Below the root. One character a byte, as in `name`. */
  readonly path: string;
  /** What the member is called. */
  readonly name: string;
  readonly type: string;
  readonly stat: Statx;
  /** Open with O_PATH. */
  readonly fd: number;
  readonly root: number;
}

/** `mtimeNs` stands for the file's own time. */
export function describeMember(file: PackedFile, mtimeNs = file.stat.mtimeNs): TarHeader {
  const { path, name, type, stat, root } = file;
  const isLink = type === "symlink";
  return {
    name: name === "" ? "./" : type === "directory" ? `${name}/` : name,
    type,
    // With the type's bits, which the header has no room for: of mode 0 tar-stream would make 0644.
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: type === "file" ? Number(stat.size) : 0,
    mtime: headerTime(mtimeNs),
    linkname: isLink ? fromBytes(readLinkInRoot(root, Buffer.from(path, "latin1"))) : null,
    devmajor: stat.rdevMajor,
    devminor: stat.rdevMinor,
    pax: paxRecords(file, mtimeNs),
  };
}

/**
 * The empty file that stands for what is not there (image-spec layer.md, "Whiteouts"). Its time says
 * nothing, so it is always the same.
 */
export function describeWhiteout(name: string): TarHeader {
  return { name, type: "file", mode: 0o100000, size: 0, mtime: new Date(0) };
}

const NS = 1_000_000_000n;
/** What an octal field of a ustar header holds. */
const MAX_USTAR_ID = 0o777_777;
/** What tar-stream writes into one: seconds in 32 bits with a sign. */
const MAX_HEADER_TIME_NS = 0x7fff_ffffn * NS;

function headerTime(ns: bigint): Date {
  return new Date(fitsHeader(ns) ? Number(ns / 1_000_000n) : 0);
}

function fitsHeader(ns: bigint): boolean {
  return ns >= 0n && ns <= MAX_HEADER_TIME_NS;
}

function paxRecords({ stat, fd }: PackedFile, mtimeNs: bigint): Record<string, string> | null {
  const pax: Record<string, string> = timeRecord(mtimeNs);
  if (stat.uid > MAX_USTAR_ID) pax["uid"] = String(stat.uid);
  if (stat.gid > MAX_USTAR_ID) pax["gid"] = String(stat.gid);
  for (const name of readOwnXattrs(fd)) {
    const value = getXattr(magicLink(fd), name);
    if (value) pax[`SCHILY.xattr.${name}`] = fromBytes(value);
  }
  return Object.keys(pax).length === 0 ? null : pax;
}

function timeRecord(ns: bigint): Record<string, string> {
  return ns % NS === 0n && fitsHeader(ns) ? {} : { mtime: formatTime(ns) };
}

function formatTime(ns: bigint): string {
  const absolute = ns < 0n ? -ns : ns;
  const fraction = (absolute % NS).toString().padStart(9, "0");
  return `${ns < 0n ? "-" : ""}${absolute / NS}.${fraction}`;
}
