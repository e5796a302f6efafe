/**
 * Making and changing entries of an open directory, as the unpacking of an image needs it: `name` is
 * one component and is never followed, so that no entry can lead outside. Node has none of these.
 */
import { chmodSync, closeSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { cString, syscall, type Text } from "./libc.ts";
import { O_PATH, openat2, RESOLVE } from "./openat2.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "./statx.ts";

/** mkdirat(2); the umask applies. */
export function makeDirectoryAt(dirFd: number, name: Text, mode: number): void {
  syscall("mkdirat", name, dirFd, cString(name), mode);
}

/** A FIFO, socket, device node or (with S_IFREG or 0) empty file; `mode` holds type and permissions. mknodat(2). */
export function makeNodeAt(
  dirFd: number,
  name: Text,
  { mode, major = 0, minor = 0 }: { mode: number; major?: number; minor?: number },
): void {
  syscall("mknodat", name, dirFd, cString(name), mode, makeDev(major, minor));
}

/** dev_t as the kernel's calls take it: makedev(3), new_encode_dev() in linux/kdev_t.h. */
export function makeDev(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** symlinkat(2). */
export function symlinkAt(target: Text, dirFd: number, name: Text): void {
  syscall("symlinkat", name, cString(target), dirFd, cString(name));
}

/** A hard link to `fromName` in `fromFd`, which is not followed. linkat(2). */
export function linkAt(fromFd: number, fromName: Text, toFd: number, toName: Text): void {
  syscall("linkat", toName, fromFd, cString(fromName), toFd, cString(toName), 0);
}

const AT_REMOVEDIR = 0x200;

/** unlinkat(2); with `directory` it is rmdir(2). */
export function unlinkAt(dirFd: number, name: Text, { directory = false } = {}): void {
  syscall("unlinkat", name, dirFd, cString(name), directory ? AT_REMOVEDIR : 0);
}

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

/** renameat2(2); `how` is what happens when the new name exists. */
export function renameAt(
  from: { dirFd: number; name: Text },
  to: { dirFd: number; name: Text },
  how: "replace" | "keep" | "exchange" = "replace",
): void {
  const flags = { replace: 0, keep: RENAME_NOREPLACE, exchange: RENAME_EXCHANGE }[how];
  const [oldName, newName] = [cString(from.name), cString(to.name)];
  syscall("renameat2", to.name, from.dirFd, oldName, to.dirFd, newName, flags);
}

/** Owner and group; an empty name is the descriptor itself. Clears set-user-ID: chown before chmod. fchownat(2). */
export function chownAt(dirFd: number, name: Text, uid: number, gid: number): void {
  const flags = AT_SYMLINK_NOFOLLOW | (name.length === 0 ? AT_EMPTY_PATH : 0);
  syscall("fchownat", name, dirFd, cString(name), uid, gid, flags);
}

let fchmodat2Missing = false;

/**
 * Permission bits, never through a link: fchmodat2(2) (Linux 6.6), else by way of /proc/self/fd.
 * Throws KernelError EOPNOTSUPP or ELOOP for a symbolic link, whose mode means nothing.
 */
export function chmodAt(dirFd: number, name: Text, mode: number): void {
  if (!fchmodat2Missing) {
    try {
      const flags = AT_SYMLINK_NOFOLLOW | (name.length === 0 ? AT_EMPTY_PATH : 0);
      syscall("fchmodat2", name, dirFd, cString(name), mode, flags);
      return;
    } catch (error) {
      // EPERM is what an old container runtime's filter answers for a call it does not know.
      if (!hasErrno(error, "ENOSYS", "EPERM")) throw error;
      fchmodat2Missing = hasErrno(error, "ENOSYS");
    }
  }
  chmodThroughProc(dirFd, name, mode);
}

const O_NOFOLLOW = 0o400000;

/** chmod(2) of the magic link changes what the descriptor is, which was opened without following. */
function chmodThroughProc(dirFd: number, name: Text, mode: number): void {
  if (name.length === 0) {
    chmodSync(`/proc/self/fd/${dirFd}`, mode);
    return;
  }
  const fd = openat2(dirFd, name, { flags: O_PATH | O_NOFOLLOW, resolve: RESOLVE.BENEATH });
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

/**
 * Times of last access and modification, in nanoseconds since the epoch; an empty name is the
 * descriptor itself. utimensat(2).
 */
export function setTimesAt(
  dirFd: number,
  name: Text,
  { atimeNs, mtimeNs }: { atimeNs: bigint; mtimeNs: bigint },
): void {
  const times = BigInt64Array.of(...timespec(atimeNs), ...timespec(mtimeNs));
  const flags = AT_SYMLINK_NOFOLLOW | (name.length === 0 ? AT_EMPTY_PATH : 0);
  syscall("utimensat", name, dirFd, cString(name), new Uint8Array(times.buffer), flags);
}

const SECOND_NS = 1_000_000_000n;

/** Seconds and nanoseconds; the latter count forward even before 1970. */
function timespec(ns: bigint): readonly [seconds: bigint, nanoseconds: bigint] {
  const nanoseconds = ((ns % SECOND_NS) + SECOND_NS) % SECOND_NS;
  return [(ns - nanoseconds) / SECOND_NS, nanoseconds];
}
