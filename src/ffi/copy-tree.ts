/**
 * Copies a directory's contents with everything that a file has: type, owner, mode, times, extended
 * attributes, hard links, holes. Source and target are open directories, every name is one component that
 * is not followed, and nothing is run or opened that is not a regular file or a directory.
 */
import { closeSync, constants, ftruncateSync, readSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { writeAt } from "../base/write-at.ts";
import {
  chmodAt,
  chownAt,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  setTimesAt,
  symlinkAt,
} from "./at.ts";
import { directoryNames, entryPath, openDirectoryAt } from "./directory.ts";
import { readLinkInRoot } from "./in-root.ts";
import { syscall } from "./libc.ts";
import { openat2, RESOLVE } from "./openat2.ts";
import { type Statx, statx } from "./statx.ts";
import { getXattr, listXattrs, setXattr } from "./xattr.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
const S_IFMT = 0o170000;
const TYPE = { directory: 0o040000, file: 0o100000, symlink: 0o120000, socket: 0o140000 } as const;
const PERMISSIONS = 0o7777;

export interface CopyTreeOptions {
  /** Who owns the copy of what has this owner; the same without it. */
  readonly owner?: (owner: { readonly uid: number; readonly gid: number }) => {
    readonly uid: number;
    readonly gid: number;
  };
  /** Which extended attributes the copy has; all without it. */
  readonly keepsXattr?: (name: string) => boolean;
}

/**
 * Fills `targetFd` with what `sourceFd` holds; the target's own attributes stay. Where the file system
 * shares blocks between files (btrfs, xfs), no contents are copied. Sockets are left out: nobody listens
 * to a copy.
 */
export function copyTree(sourceFd: number, targetFd: number, options: CopyTreeOptions = {}): void {
  new Copy(targetFd, options).contents(sourceFd, targetFd);
}

/** One entry, a directory with all that is in it. */
export function copyEntry(sourceFd: number, targetFd: number, name: Buffer): void {
  new Copy(targetFd, {}).entry(sourceFd, targetFd, name, Buffer.concat([SLASH, name]));
}

class Copy {
  readonly #top: number;
  readonly #options: CopyTreeOptions;
  /** Files with several names, by inode: where the first copy is, as a path below the top. */
  readonly #links = new Map<string, Buffer>();

  constructor(top: number, options: CopyTreeOptions) {
    this.#top = top;
    this.#options = options;
  }

  contents(from: number, to: number, path: Buffer = Buffer.alloc(0)): void {
    for (const name of directoryNames(from)) {
      this.entry(from, to, name, Buffer.concat([path, SLASH, name]));
    }
  }

  entry(from: number, to: number, name: Buffer, path: Buffer): void {
    const stat = statx(from, name);
    const type = stat.mode & S_IFMT;
    if (type === TYPE.socket) return;
    if (type === TYPE.directory) {
      this.#directory(from, to, name, { stat, path });
      return;
    }
    const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = this.#links.get(inode);
    if (first) {
      linkAt(this.#top, first, to, name);
      return;
    }
    if (stat.nlink > 1) this.#links.set(inode, path.subarray(1));
    if (type === TYPE.file) copyFile(from, to, name, stat);
    else if (type === TYPE.symlink) symlinkAt(readLinkInRoot(from, name), to, name);
    else makeNode(to, name, stat);
    this.#attributes(from, to, name, stat);
  }

  #directory(
    from: number,
    to: number,
    name: Buffer,
    { stat, path }: { readonly stat: Statx; readonly path: Buffer },
  ): void {
    makeDirectoryAt(to, name, 0o700);
    withDirectory(from, name, (source) =>
      withDirectory(to, name, (target) => this.contents(source, target, path)),
    );
    this.#attributes(from, to, name, stat); // after its contents, which change its times
  }

  /** The order is chown(2)'s: it takes set-user-ID and file capabilities away. */
  #attributes(from: number, to: number, name: Buffer, stat: Statx): void {
    const { owner = (same) => same, keepsXattr = () => true } = this.#options;
    const { uid, gid } = owner(stat);
    chownAt(to, name, uid, gid);
    const isLink = (stat.mode & S_IFMT) === TYPE.symlink;
    if (!isLink) chmodAt(to, name, stat.mode & PERMISSIONS);
    copyXattrs(entryPath(from, name), entryPath(to, name), keepsXattr);
    setTimesAt(to, name, stat);
  }
}

const SLASH = Buffer.from("/");

/** makedev(3)'s parts are the device's own numbers; the kernel asks for CAP_MKNOD. */
function makeNode(to: number, name: Buffer, stat: Statx): void {
  const { mode, rdevMajor, rdevMinor } = stat;
  makeNodeAt(to, name, { mode, major: rdevMajor, minor: rdevMinor });
}

const RESOLVE_NAME = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS;
const CHUNK_BYTES = 256 * 1024;
const BLOCK_BYTES = 512n;

function copyFile(from: number, to: number, name: Buffer, stat: Statx): void {
  const source = openat2(from, name, { flags: O_RDONLY | O_NOFOLLOW, resolve: RESOLVE_NAME });
  try {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    const target = openat2(to, name, { flags, mode: 0o600, resolve: RESOLVE_NAME });
    try {
      if (cloneFile(source, target)) return;
      copyContents(source, target, { sparse: stat.blocks * BLOCK_BYTES < stat.size });
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** _IOW(0x94, 9, int), linux/fs.h. */
const FICLONE = 0x4004_9409;

/** Lets the target share the source's blocks; false where the file system cannot. ioctl_ficlone(2). */
function cloneFile(source: number, target: number): boolean {
  try {
    syscall("ioctl", `fd ${target}`, target, FICLONE, source);
    return true;
  } catch (error) {
    if (hasErrno(error, "EOPNOTSUPP", "ENOTTY", "EXDEV", "EINVAL", "EPERM")) return false;
    throw error;
  }
}

function copyContents(source: number, target: number, { sparse }: { sparse: boolean }): void {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let position = 0;
  for (let size = readSync(source, buffer); size > 0; size = readSync(source, buffer)) {
    const chunk = buffer.subarray(0, size);
    if (!(sparse && isZero(chunk))) writeAt(target, chunk, position);
    position += size;
  }
  if (sparse) ftruncateSync(target, position); // its end may be a hole, too
}

const ZEROS = Buffer.alloc(CHUNK_BYTES);

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

function withDirectory(dirFd: number, name: Buffer, use: (fd: number) => void): void {
  const fd = openDirectoryAt(dirFd, name);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Those whose names `keeps` says yes to; other attributes of the target stay. */
export function copyXattrs(source: Buffer, target: Buffer, keeps: (name: string) => boolean): void {
  for (const attribute of listedXattrs(source)) {
    if (!keeps(attribute)) continue;
    const value = getXattr(source, attribute);
    if (value !== undefined) setXattr(target, attribute, value);
  }
}

function listedXattrs(path: Buffer): readonly string[] {
  try {
    return listXattrs(path);
  } catch (error) {
    if (hasErrno(error, "EOPNOTSUPP")) return []; // the source's file system has none
    throw error;
  }
}
