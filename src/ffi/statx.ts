import { cString, syscall, type Text } from "./libc.ts";

/** statx(2)'s answer; times are in nanoseconds since the epoch. */
export interface Statx {
  /** File type and permissions, as st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly ino: bigint;
  readonly size: bigint;
  /** 512-byte blocks in use. */
  readonly blocks: bigint;
  readonly mtimeNs: bigint;
  readonly atimeNs: bigint;
  readonly ctimeNs: bigint;
  /** The device that a device node stands for. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** The device of the file system. */
  readonly devMajor: number;
  readonly devMinor: number;
  /** The mount's id as /proc/self/mountinfo has it; undefined before Linux 5.8. */
  readonly mountId: bigint | undefined;
  /** True if this is the root of a mount. */
  readonly isMountRoot: boolean;
}

const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const STATX_ATTR_MOUNT_ROOT = 0x2000n;
const STATX_SIZE = 256;
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EMPTY_PATH = 0x1000;

/**
 * What `path` below the directory `dirFd` is; a symbolic link is described, not followed. An empty
 * path is the descriptor itself. `path` is resolved as usual: use statInRoot for one that is not trusted.
 * statx(2).
 */
export function statx(dirFd: number, path: Text): Statx {
  const view = new DataView(new ArrayBuffer(STATX_SIZE));
  const flags = AT_SYMLINK_NOFOLLOW | (path.length === 0 ? AT_EMPTY_PATH : 0);
  const mask = STATX_BASIC_STATS | STATX_MNT_ID;
  const buffer = new Uint8Array(view.buffer);
  const subject = path.length === 0 ? `fd ${dirFd}` : path;
  syscall("statx", subject, dirFd, cString(path), flags, mask, buffer);
  return decodeStatx(view);
}

/** struct statx, include/uapi/linux/stat.h. */
function decodeStatx(view: DataView): Statx {
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => view.getBigUint64(at, true);
  const time = (at: number) => view.getBigInt64(at, true) * 1_000_000_000n + BigInt(u32(at + 8));
  return {
    nlink: u32(0x10),
    uid: u32(0x14),
    gid: u32(0x18),
    mode: view.getUint16(0x1c, true),
    ino: u64(0x20),
    size: u64(0x28),
    blocks: u64(0x30),
    atimeNs: time(0x40),
    ctimeNs: time(0x60),
    mtimeNs: time(0x70),
    rdevMajor: u32(0x80),
    rdevMinor: u32(0x84),
    devMajor: u32(0x88),
    devMinor: u32(0x8c),
    mountId: (u32(0) & STATX_MNT_ID) === 0 ? undefined : u64(0x90),
    isMountRoot: (u64(0x08) & STATX_ATTR_MOUNT_ROOT) !== 0n,
  };
}
