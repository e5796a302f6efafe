/**
 * The mount option U: everything in a volume comes to belong to the container's user.
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { chownAt, openat2, openRoot, RESOLVE, statx } from "../../ffi/index.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Links are not followed. A file that has the owner is left alone: chown(2) takes capabilities away. */
export function chownVolume(path: string, owner: Owner): void {
  const fd = openRoot(path);
  try {
    chownContents(fd, Buffer.from("."), owner);
    giveTo(fd, Buffer.alloc(0), owner);
  } finally {
    closeSync(fd);
  }
}

function chownContents(parent: number, name: Uint8Array, owner: Owner): void {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const resolve = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS | RESOLVE.NO_XDEV;
  const fd = openat2(parent, name, { flags, resolve });
  try {
    for (const entry of readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })) {
      if ((statx(fd, entry).mode & S_IFMT) === S_IFDIR) chownContents(fd, entry, owner);
      giveTo(fd, entry, owner);
    }
  } finally {
    closeSync(fd);
  }
}

function giveTo(dirFd: number, name: Uint8Array, { uid, gid }: Owner): void {
  const stat = statx(dirFd, name);
  if (stat.uid !== uid || stat.gid !== gid) chownAt(dirFd, name, uid, gid);
}
