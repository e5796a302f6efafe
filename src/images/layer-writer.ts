/**
 * Writing a layer's files. Every path is resolved below the layer's directory (openat2 RESOLVE_IN_ROOT)
 * and every entry is made by name in an open directory, never through a link: whatever an archive
 * says, in whatever order, it stays in its layer. Whiteouts take overlayfs's form (image-spec layer.md,
 * "Whiteouts"; overlayfs.rst).
 */
import { closeSync, constants, readFileSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { isInUserNamespace } from "../base/user-namespace.ts";
import {
  chmodAt,
  chownAt,
  existsInRoot,
  linkAt,
  listXattrs,
  makeDirectoriesInRoot,
  makeDirectoryAt,
  makeNodeAt,
  openat2,
  openInRoot,
  RESOLVE,
  removeTreeAt,
  removeXattr,
  setTimesAt,
  setXattr,
  statx,
  symlinkAt,
} from "../ffi/index.ts";
import { type Entry, parsePath } from "./entry.ts";
import { invalid } from "./invalid-member.ts";
import { HOST_LABELS, setOpaque } from "./overlay-marks.ts";
import { ownerError } from "./owner-error.ts";
import { toBytes } from "./tar-bytes.ts";
import { OPAQUE_MARK, WHITEOUT_PREFIX } from "./whiteouts.ts";
import { type Contents, contentsOf } from "./write-contents.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const O_PATH = 0o10000000;
const S_ISGID = 0o2000;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
const S_IFIFO = 0o010000;

export interface WriteOptions {
  /** ".wh." names are whiteouts, as in an image's layer; else they are names like any other. */
  readonly whiteouts: boolean;
  /** Who everything is given to, instead of the owners that the archive names. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** An open directory that members are made in. */
interface Parent {
  readonly path: string;
  readonly fd: number;
  /** Set-group-ID: what is made in it has its group. */
  readonly inheritsGroup: boolean;
}

export class LayerWriter implements Disposable {
  readonly #root: number;
  /** Directories get their times last: whatever is made in them changes these. */
  readonly #directoryTimes = new Map<string, bigint>();
  /** Directories that members lie in, but that are no members themselves. */
  readonly #implied = new Set<string>([""]);
  /** Device nodes that cannot be made here. */
  readonly #leftOut = new Set<string>();
  #parent: Parent | undefined;
  /** The file whose contents are just coming. */
  #openFile: number | undefined;
  #hasDefaultAcls: boolean = false;
  readonly #umask = readUmask();

  readonly #options: WriteOptions;

  /** Takes the root's descriptor and closes it. */
  constructor(root: number, options: WriteOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Makes the entry; a file's contents come as chunks. */
  async write(entry: Entry, contents: AsyncIterable<Uint8Array>): Promise<void> {
    const file = this.begin(entry);
    if (!file) return;
    for await (const chunk of contents) file.write(chunk);
    file.end();
  }

  /** Makes the entry; answers, for a file, what takes its contents: to their end, before the next entry. */
  begin(entry: Entry): Contents | undefined {
    const { dir, name } = splitPath(entry.path);
    this.#leftOut.delete(entry.path);
    if (this.#options.whiteouts && name.startsWith(WHITEOUT_PREFIX)) {
      this.#whiteout(dir, name, entry);
      return undefined;
    }
    if (entry.type === "directory") {
      this.#directory(entry, dir, name);
      return undefined;
    }
    const parent = this.#openParent(dir);
    const bytes = toBytes(name);
    if (entry.type === "file") return this.#file(entry, parent, bytes);
    if (entry.type === "link") {
      // It shares the other's attributes.
      if (this.#leftOut.has(parsePath(entry.linkname))) this.#leaveOut(entry, parent, bytes);
      else this.#inItsPlace(parent, bytes, () => this.#hardLink(entry, parent.fd, bytes));
    } else {
      const made = this.#inItsPlace(parent, bytes, () => makeSpecial(entry, parent.fd, bytes));
      if (made) this.#setAttributes(entry, parent, bytes);
      else this.#leftOut.add(entry.path);
    }
    return undefined;
  }

  #file(entry: Entry, parent: Parent, name: Uint8Array): Contents {
    const flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
    const how = { flags, mode: entry.mode & 0o777, resolve: RESOLVE.BENEATH };
    const fd = this.#inItsPlace(parent, name, () => openat2(parent.fd, name, how));
    this.#openFile = fd;
    const contents = contentsOf(fd, entry);
    return {
      write: contents.write,
      end: () => {
        contents.end();
        this.#setAttributes(entry, parent, name, fd);
        this.#closeFile();
      },
    };
  }

  #closeFile(): void {
    if (this.#openFile !== undefined) closeSync(this.#openFile);
    this.#openFile = undefined;
  }

  /**
   * Sets what could not be set while the layer was being filled. Answers the directories that the
   * archive does not describe; what they are like, a layer below may say.
   */
  finish(): readonly string[] {
    const implied = this.#options.whiteouts ? [...this.#implied].sort() : [];
    for (const path of implied) this.#directoryTimes.set(path, 0n);
    const gone = new Set<string>();
    for (const [path, mtimeNs] of [...this.#directoryTimes].reverse()) {
      if (!this.#setDirectoryTime(path, mtimeNs)) gone.add(path);
    }
    return implied.filter((path) => !gone.has(path));
  }

  /** false where a later member has taken the directory's place. */
  #setDirectoryTime(path: string, mtimeNs: bigint): boolean {
    let fd: number;
    try {
      fd = openInRoot(this.#root, toBytes(path), { flags: O_PATH | O_DIRECTORY });
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return false;
      throw error;
    }
    try {
      setTimesAt(fd, "", { atimeNs: mtimeNs, mtimeNs });
      return true;
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    this.#closeFile();
    this.#forgetParent();
    closeSync(this.#root);
  }

  #directory(entry: Entry, dir: string, name: string): void {
    this.#directoryTimes.set(entry.path, entry.mtimeNs);
    this.#implied.delete(entry.path);
    // What its mode says of new files in it may be another from now on.
    if (this.#parent?.path === entry.path) this.#forgetParent();
    if (entry.path === "") {
      const root = { path: "", fd: this.#root, inheritsGroup: true };
      this.#setAttributes(entry, root, Buffer.alloc(0), this.#root);
      return;
    }
    const parent = this.#openParent(dir);
    const bytes = toBytes(name);
    this.#inItsPlace(parent, bytes, () => {
      try {
        makeDirectoryAt(parent.fd, bytes, 0o700);
      } catch (error) {
        if (!hasErrno(error, "EEXIST") || typeAt(parent.fd, bytes) !== S_IFDIR) throw error;
      }
    });
    this.#setAttributes(entry, parent, bytes);
  }

  #whiteout(dir: string, name: string, entry: Entry): void {
    const parent = this.#openParent(dir);
    if (name === OPAQUE_MARK) {
      setOpaque(parent.fd);
      return;
    }
    const hidden = name.slice(WHITEOUT_PREFIX.length);
    if (hidden === "" || hidden === "." || hidden === ".." || hidden.startsWith(WHITEOUT_PREFIX)) {
      throw invalid(entry.path, "is a whiteout of nothing");
    }
    const bytes = toBytes(hidden);
    this.#inItsPlace(parent, bytes, () => {
      makeNodeAt(parent.fd, bytes, { mode: S_IFCHR, major: 0, minor: 0 });
    });
  }

  #hardLink(entry: Entry, parent: number, name: Uint8Array): void {
    const target = splitPath(parsePath(entry.linkname));
    if (target.name === "") throw invalid(entry.path, "is a hard link to a directory");
    try {
      const from = openInRoot(this.#root, toBytes(target.dir), { flags: O_PATH | O_DIRECTORY });
      try {
        linkAt(from, toBytes(target.name), parent, name);
      } finally {
        closeSync(from);
      }
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR", "EPERM", "ELOOP")) throw error;
      throw invalid(
        entry.path,
        `is a hard link to "${entry.linkname}", which is not in the archive`,
      );
    }
  }

  /** Another name of a device that was left out; what it would have replaced is gone all the same. */
  #leaveOut(entry: Entry, parent: Parent, name: Uint8Array): void {
    if (typeAt(parent.fd, name) !== undefined) removeTreeAt(parent.fd, name);
    this.#leftOut.add(entry.path);
  }

  /** The last parent is kept open: archives go directory by directory. */
  #openParent(dir: string): Parent {
    if (this.#parent?.path === dir) return this.#parent;
    const fd = this.#makeParent(dir);
    this.#forgetParent();
    this.#parent = { path: dir, fd, inheritsGroup: (statx(fd, "").mode & S_ISGID) !== 0 };
    return this.#parent;
  }

  #forgetParent(): void {
    if (this.#parent) closeSync(this.#parent.fd);
    this.#parent = undefined;
  }

  #makeParent(dir: string): number {
    try {
      return openInRoot(this.#root, toBytes(dir), { flags: O_PATH | O_DIRECTORY });
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    }
    this.#addImplied(dir);
    try {
      return makeDirectoriesInRoot(this.#root, toBytes(dir).toString());
    } catch (error) {
      if (!hasErrno(error, "EEXIST", "ENOENT", "ENOTDIR", "ELOOP")) throw error;
      throw invalid(dir, "is used as a directory but is none");
    }
  }

  #addImplied(dir: string): void {
    const parts = dir.split("/");
    for (let length = parts.length; length > 0; length -= 1) {
      const path = parts.slice(0, length).join("/");
      if (existsInRoot(this.#root, toBytes(path))) return;
      this.#implied.add(path);
    }
  }

  /** Of two members with one name the later counts: what is in its way is removed. */
  #inItsPlace<T>(parent: Parent, name: Uint8Array, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!hasErrno(error, "EEXIST")) throw error;
    }
    removeTreeAt(parent.fd, name);
    return make();
  }

  /**
   * Owner first: it takes set-user-ID bits and capabilities away. `fd` is open where the entry was made
   * with its mode. What a new file is anyway is not set again: it is half of the system calls.
   */
  #setAttributes(entry: Entry, parent: Parent, name: Uint8Array, fd?: number): void {
    const { mode, mtimeNs, type, xattrs } = entry;
    const { uid, gid } = this.#options.owner ?? entry;
    const [at, path] = fd === undefined ? [parent.fd, name] : [fd, NO_NAME];
    const isOurs = uid === OWN_UID && gid === OWN_GID && !parent.inheritsGroup;
    if (!isOurs) giveTo(at, path, { uid, gid, entry });
    if (this.#hasDefaultAcls) removeInheritedAcls(parent.fd, name, type);
    if (xattrs.size > 0) setXattrs(entry, parent.fd, name);
    if (xattrs.has(DEFAULT_ACL)) this.#hasDefaultAcls = true;
    if (type !== "symlink" && !this.#isAsMade(entry)) chmodAt(at, path, mode);
    if (type !== "directory") setTimesAt(at, path, { atimeNs: mtimeNs, mtimeNs });
  }

  /** Whether a new file has its mode: a container's own directories may have an ACL that says otherwise. */
  #isAsMade({ type, mode }: Entry): boolean {
    const plain = this.#options.whiteouts && !this.#hasDefaultAcls;
    return plain && type === "file" && (mode & (0o7000 | this.#umask)) === 0;
  }
}

const NO_NAME = new Uint8Array(0);
const OWN_UID = process.geteuid?.() ?? 0;
const OWN_GID = process.getegid?.() ?? 0;

/** The mask that the kernel takes from a new file's mode; process.umask() would set it for a moment. */
function readUmask(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number.parseInt(/^Umask:\s*(\d+)/m.exec(status)?.[1] ?? "777", 8);
}

const ACCESS_ACL = "system.posix_acl_access";
const DEFAULT_ACL = "system.posix_acl_default";

/** What a directory gives to all that is made in it is not what the archive says of it. acl(5). */
function removeInheritedAcls(parent: number, name: Uint8Array, type: Entry["type"]): void {
  if (type === "symlink") return;
  const flags = O_PATH | O_NOFOLLOW;
  const fd = openat2(parent, name.length === 0 ? "." : name, { flags, resolve: RESOLVE.BENEATH });
  try {
    const target = { path: `/proc/self/fd/${fd}`, follow: true };
    for (const xattr of listXattrs(target)) {
      if (xattr === ACCESS_ACL || xattr === DEFAULT_ACL) removeXattr(target, xattr);
    }
  } finally {
    closeSync(fd);
  }
}

function splitPath(path: string): { readonly dir: string; readonly name: string } {
  const slash = path.lastIndexOf("/");
  return { dir: slash < 0 ? "" : path.slice(0, slash), name: path.slice(slash + 1) };
}

function typeAt(parent: number, name: Uint8Array): number | undefined {
  try {
    return statx(parent, name).mode & S_IFMT;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function giveTo(
  at: number,
  path: Uint8Array,
  { uid, gid, entry }: { readonly uid: number; readonly gid: number; readonly entry: Entry },
): void {
  try {
    chownAt(at, path, uid, gid);
  } catch (error) {
    throw ownerError(error, entry.path, { uid, gid });
  }
}

/** false for a device that cannot be made here. */
function makeSpecial(entry: Entry, parent: number, name: Uint8Array): boolean {
  if (entry.type === "symlink") {
    symlinkAt(toBytes(entry.linkname), parent, name);
    return true;
  }
  if (entry.type === "fifo") {
    makeNodeAt(parent, name, { mode: S_IFIFO | 0o600 });
    return true;
  }
  const { kind, major, minor } = entry.device ?? { kind: "character", major: 0, minor: 0 };
  if (kind === "character" && major === 0 && minor === 0) {
    throw invalid(entry.path, "is device 0:0, which would be a whiteout");
  }
  const mode = (kind === "block" ? S_IFBLK : S_IFCHR) | 0o600;
  try {
    makeNodeAt(parent, name, { mode, major, minor });
    return true;
  } catch (error) {
    // mknod(2): only the host's root makes devices. Containers get theirs at their start.
    if (hasErrno(error, "EPERM") && isInUserNamespace()) return false;
    throw error;
  }
}

function setXattrs(entry: Entry, parent: number, name: Uint8Array): void {
  const flags = O_PATH | O_NOFOLLOW;
  const fd = openat2(parent, name.length === 0 ? "." : name, { flags, resolve: RESOLVE.BENEATH });
  try {
    for (const [key, value] of entry.xattrs) {
      setOne(fd, key, toBytes(value));
    }
  } catch (error) {
    if (!hasErrno(error, "EOPNOTSUPP", "EPERM", "EINVAL")) throw error;
    throw new TsrunError("IMAGE_INVALID", `cannot set an extended attribute of "${entry.path}"`, {
      hint: isInUserNamespace()
        ? "Only the host's root may set attributes such as trusted.*: bring the image as root."
        : "The file system of the data directory (--root) does not take it.",
      cause: error,
    });
  } finally {
    closeSync(fd);
  }
}

function setOne(fd: number, name: string, value: Uint8Array): void {
  try {
    // lsetxattr on /proc/self/fd/N would set the link's own; following it leads to what is open.
    setXattr({ path: `/proc/self/fd/${fd}`, follow: true }, name, value);
  } catch (error) {
    // Another host's label, which means nothing here, and which only this host's root could set.
    if (hasErrno(error, "EPERM") && HOST_LABELS.has(name) && isInUserNamespace()) return;
    throw error;
  }
}
