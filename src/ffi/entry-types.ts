import { syscall } from "./libc.ts";

/** linux/dirent.h, struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name. */
const RECLEN_AT = 16;
const TYPE_AT = 18;
const NAME_AT = 19;
const BUFFER_BYTES = 4096;
const OWN_NAMES = new Set([".", ".."]);

/**
 * The d_type (DT_*) of the first entries of a directory that was opened for reading, without "." and
 * "..", which some file systems know a type for though they keep none. Node asks lstat(2) where a type
 * is unknown, and so cannot tell. getdents64(2).
 */
export function readEntryTypes(dirFd: number): readonly number[] {
  const bytes = Buffer.alloc(BUFFER_BYTES);
  const size = syscall("getdents64", `fd ${dirFd}`, dirFd, bytes, bytes.length);
  const types: number[] = [];
  for (let at = 0; at < size; at += bytes.readUInt16LE(at + RECLEN_AT)) {
    const name = bytes.toString("latin1", at + NAME_AT, bytes.indexOf(0, at + NAME_AT));
    if (!OWN_NAMES.has(name)) types.push(bytes.readUInt8(at + TYPE_AT));
  }
  return types;
}
