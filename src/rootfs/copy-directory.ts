/**
 * Copies a directory's contents with everything that a file has: type, owner, mode, times, extended
 * attributes, hard links. Source and target are open directories, every name is one component that is
 * not followed, and nothing is run or opened that is not a regular file or a directory.
 */
import { closeSync, constants, opendirSync, readSync, writeSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import {
  chmodAt,
  chownAt,
  getXattr,
  linkAt,
  listXattrs,
  makeDirectoryAt,
  makeNodeAt,
  openat2,
  openInRoot,
  RESOLVE,
  readLinkInRoot,
  type Statx,
  setTimesAt,
  setXattr,
  statx,
  symlinkAt,
} from "../ffi/index.ts";
import { hostId, type IdMaps } from "./id-maps.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
const S_IFMT = 0o170000;
const TYPE = { directory: 0o040000, file: 0o100000, symlink: 0o120000, socket: 0o140000 } as const;
const PERMISSIONS = 0o7777;

/** undefined if there is no directory at `path` below the root. */
export function openDirectoryInRoot(rootFd: number, path: string): number | undefined {
  try {
    return openInRoot(rootFd, path, { flags: O_RDONLY | O_DIRECTORY });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

export function isEmpty(dirFd: number): boolean {
  for (const _ of names(dirFd)) return false; // leaving the loop closes the directory
  return true;
}

/**
 * Fills `targetFd` with what `sourceFd` holds; the target's own attributes stay. With `maps`, owners are
 * the container's ids and become the host's. Sockets are left out: nobody listens to a copy.
 */
export function copyDirectory(sourceFd: number, targetFd: number, maps: IdMaps | undefined): void {
  new Copy(targetFd, maps).contents(sourceFd, targetFd);
}

class Copy {
  readonly #top: number;
  readonly #maps: IdMaps | undefined;
  /** Files with several names, by inode: where the first copy is, as a path below the top. */
  readonly #links = new Map<string, Buffer>();

  constructor(top: number, maps: IdMaps | undefined) {
    this.#top = top;
    this.#maps = maps;
  }

  contents(from: number, to: number, path: Buffer = Buffer.alloc(0)): void {
    for (const name of names(from)) this.#entry(from, to, name, Buffer.concat([path, SLASH, name]));
  }

  #entry(from: number, to: number, name: Buffer, path: Buffer): void {
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
    if (type === TYPE.file) copyFile(from, to, name);
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
    const { uid, gid } = stat;
    const maps = this.#maps;
    if (maps) chownAt(to, name, hostId(uid, maps.uids), hostId(gid, maps.gids));
    else chownAt(to, name, uid, gid);
    const isLink = (stat.mode & S_IFMT) === TYPE.symlink;
    if (!isLink) chmodAt(to, name, stat.mode & PERMISSIONS);
    copyXattrs(from, to, name);
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

function copyFile(from: number, to: number, name: Buffer): void {
  const source = openat2(from, name, { flags: O_RDONLY | O_NOFOLLOW, resolve: RESOLVE_NAME });
  try {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    const target = openat2(to, name, { flags, mode: 0o600, resolve: RESOLVE_NAME });
    try {
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (let size = readSync(source, buffer); size > 0; size = readSync(source, buffer)) {
        for (let at = 0; at < size; ) at += writeSync(target, buffer, at, size - at);
      }
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function withDirectory(dirFd: number, name: Buffer, use: (fd: number) => void): void {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const fd = openat2(dirFd, name, { flags, resolve: RESOLVE_NAME });
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

/** overlayfs's own attributes say how a layer is read; a copy is no layer. */
const OVERLAY_XATTR = /^(trusted|user)\.overlay\./;

/** A name in an open directory as a path: the kernel follows the descriptor's link, and nothing after it. */
function copyXattrs(from: number, to: number, name: Buffer): void {
  const place = (fd: number) => Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
  const [source, target] = [place(from), place(to)];
  for (const attribute of listedXattrs(source)) {
    if (OVERLAY_XATTR.test(attribute)) continue;
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

function* names(dirFd: number): Generator<Buffer> {
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
