/** Open directories: one opened by its name in another, the names in it, and such a name as a path. */
import { constants, opendirSync } from "node:fs";
import type { Text } from "./libc.ts";
import { openat2, RESOLVE } from "./openat2.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/**
 * A new descriptor for the directory `name`, one component (or "."), of an open one. No link is followed:
 * ELOOP or ENOTDIR for what is no directory. openat2(2).
 */
export function openDirectoryAt(dirFd: number, name: Text): number {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  return openat2(dirFd, name, { flags, resolve: RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS });
}

/** The names in an open directory, as bytes. */
export function* directoryNames(dirFd: number): Generator<Buffer> {
  // Node gives names as Buffers then; its types do not know it.
  const dir = opendirSync(`/proc/self/fd/${dirFd}`, { encoding: "buffer" as BufferEncoding });
  try {
    for (let entry = dir.readSync(); entry; entry = dir.readSync()) {
      yield entry.name as unknown as Buffer;
    }
  } finally {
    dir.closeSync();
  }
}

/** A name in an open directory as a path: the kernel follows the descriptor's link, and nothing after it. */
export function entryPath(dirFd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dirFd}/`), name]);
}
