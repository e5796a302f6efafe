import { hasErrno } from "../base/errors.ts";
import { cString, syscall, type Text } from "./libc.ts";

/** How a path may be resolved, openat2(2). */
export const RESOLVE = {
  NO_XDEV: 0x01,
  NO_MAGICLINKS: 0x02,
  NO_SYMLINKS: 0x04,
  BENEATH: 0x08,
  IN_ROOT: 0x10,
  CACHED: 0x20,
} as const;

export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

export interface Openat2How {
  /** open(2) flags; O_CLOEXEC is always added. */
  readonly flags: number;
  /** Only for O_CREAT and O_TMPFILE; the umask applies. */
  readonly mode?: number;
  /** RESOLVE flags. */
  readonly resolve?: number;
}

const OPEN_HOW_SIZE = 24;
/** The kernel gives EAGAIN when a rename or mount anywhere raced with a ".."; it advises to try again. */
const RACE_ATTEMPTS = 128;

/** A new descriptor for `path` below `dirFd`. Throws KernelError. openat2(2), Linux 5.6. */
export function openat2(
  dirFd: number,
  path: Text,
  { flags, mode = 0, resolve = 0 }: Openat2How,
): number {
  const how = BigUint64Array.of(BigInt(flags | O_CLOEXEC), BigInt(mode), BigInt(resolve));
  const howBytes = new Uint8Array(how.buffer);
  const pathBytes = cString(path);
  for (let attempt = 1; ; attempt++) {
    try {
      return syscall("openat2", path, dirFd, pathBytes, howBytes, OPEN_HOW_SIZE);
    } catch (error) {
      if (!hasErrno(error, "EAGAIN") || attempt === RACE_ATTEMPTS) throw error;
    }
  }
}
