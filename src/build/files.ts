/**
 * Files of a tree that is not trusted, such as a context or an earlier stage: found by patterns, and taken
 * with all that is below them. Every path is resolved by the kernel as if the tree's root were "/": no
 * link, "..", or absolute name leads out of it.
 */
import { createHash } from "node:crypto";
import { closeSync, constants, createReadStream, openSync, readdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import {
  getXattr,
  listXattrs,
  O_PATH,
  openInRoot,
  readLinkInRoot,
  type Statx,
  statx,
} from "../ffi/index.ts";
import type { Entry } from "../images/index.ts";
import { globSource, hasGlob } from "./glob.ts";
import type { IgnoreRules } from "./ignore.ts";

export interface FileTree {
  /** Its root, open. */
  readonly root: number;
  /** What does not belong to it. */
  readonly ignore?: IgnoreRules;
  /** A context's files belong to root and have no set-user-ID bits; those of a stage stay as they are. */
  readonly isContext: boolean;
}

/** A source as it was found. Paths have one character a byte and no slash in front. */
export interface FoundFile {
  readonly path: string;
  readonly kind: "file" | "directory";
}

/** What becomes of the copied files, instead of what they have. */
export interface FileChanges {
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly mode?: number;
  readonly exclude?: IgnoreRules;
}

/** A file that is to be written: what it is, and what is in it. */
export interface CopiedFile {
  readonly entry: Entry;
  readonly contents: () => AsyncIterable<Uint8Array>;
}

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
const S_IFMT = 0o170000;

/** What a source word stands for, in byte order; nothing where nothing fits. */
export function findFiles(tree: FileTree, source: string): readonly FoundFile[] {
  const parts = toLatin1(source)
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  const clean = parts.reduce<readonly string[]>((kept, part) => {
    return part === ".." ? kept.slice(0, -1) : kept.concat(part);
  }, []);
  let paths: readonly string[] = [""];
  for (const part of clean) paths = paths.flatMap((path) => matching(tree, path, part));
  return paths.flatMap((path) => found(tree, path));
}

function matching(tree: FileTree, directory: string, part: string): readonly string[] {
  if (!hasGlob(part)) return [below(directory, part)];
  const pattern = new RegExp(`^${globSource(part, { segment: true })}$`, "s");
  return names(tree, directory)
    .filter((name) => pattern.test(name))
    .map((name) => below(directory, name));
}

function found(tree: FileTree, path: string): readonly FoundFile[] {
  const isIgnored = path !== "" && (tree.ignore?.ignores(path) ?? false);
  const fd = openIfThere(tree.root, path);
  if (fd === undefined) return [];
  try {
    const isDirectory = typeOf(statx(fd, "")) === "directory";
    // Of an ignored directory something may belong to the context after all.
    if (isIgnored && !(isDirectory && tree.ignore?.hasExceptions)) return [];
    return [{ path, kind: isDirectory ? "directory" : "file" }];
  } finally {
    closeSync(fd);
  }
}

function names(tree: FileTree, directory: string): readonly string[] {
  const fd = openIfThere(tree.root, directory, O_RDONLY | O_DIRECTORY);
  if (fd === undefined) return [];
  try {
    return readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })
      .sort(Buffer.compare)
      .map((name) => name.toString("latin1"));
  } finally {
    closeSync(fd);
  }
}

function openIfThere(root: number, path: string, flags = O_PATH): number | undefined {
  try {
    return openInRoot(root, Buffer.from(path === "" ? "/" : path, "latin1"), { flags });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

/** The file itself under `name`, or a directory's contents below `name`. Parents come before children. */
export function* walkFiles(
  tree: FileTree,
  { path, kind }: FoundFile,
  name: string,
  changes: FileChanges = {},
): Generator<CopiedFile> {
  const walk = new Walk(tree, changes);
  if (kind === "directory") yield* walk.contents(path, name, "");
  else yield* walk.file(path, name, { follow: true });
}

class Walk {
  readonly #tree: FileTree;
  readonly #changes: FileChanges;
  readonly #linked = new Map<string, string>();

  constructor(tree: FileTree, changes: FileChanges) {
    this.#tree = tree;
    this.#changes = changes;
  }

  /** `inside` is relative to the source: exclusions count from there. */
  *contents(path: string, name: string, inside: string): Generator<CopiedFile> {
    for (const child of names(this.#tree, path)) {
      const [from, to, within] = [below(path, child), below(name, child), below(inside, child)];
      if (this.#changes.exclude?.ignores(within)) continue;
      const isIgnored = this.#tree.ignore?.ignores(from) ?? false;
      if (isIgnored && !this.#tree.ignore?.hasExceptions) continue;
      yield* this.#child({ from, to, within, isIgnored });
    }
  }

  *#child({
    from,
    to,
    within,
    isIgnored,
  }: {
    readonly from: string;
    readonly to: string;
    readonly within: string;
    readonly isIgnored: boolean;
  }): Generator<CopiedFile> {
    const files = [...this.file(from, to, { follow: false })];
    const [file] = files;
    if (!file) return;
    if (file.entry.type !== "directory") {
      if (!isIgnored) yield file;
      return;
    }
    if (!isIgnored) yield file;
    yield* this.contents(from, to, within);
  }

  *file(
    path: string,
    name: string,
    { follow }: { readonly follow: boolean },
  ): Generator<CopiedFile> {
    const flags = O_PATH | (follow ? 0 : O_NOFOLLOW);
    const fd = openIfThere(this.#tree.root, path, flags);
    if (fd === undefined) return;
    try {
      const stat = statx(fd, "");
      const type = typeOf(stat);
      // A socket is bound to a process; no image can hold it.
      if (type === undefined) return;
      const entry = this.#describe({ fd, stat, type, path, name });
      yield { entry, contents: () => this.#read(path, entry) };
    } finally {
      closeSync(fd);
    }
  }

  #describe({
    fd,
    stat,
    type,
    path,
    name,
  }: {
    readonly fd: number;
    readonly stat: Statx;
    readonly type: Exclude<Entry["type"], "link">;
    readonly path: string;
    readonly name: string;
  }): Entry {
    const { isContext } = this.#tree;
    const { owner, mode } = this.#changes;
    const own = isContext ? { uid: 0, gid: 0 } : { uid: stat.uid, gid: stat.gid };
    const ownMode = stat.mode & (isContext && type !== "directory" ? 0o1777 : 0o7777);
    const first = this.#firstLink(stat, type, name);
    return {
      ...{ type: first === undefined ? type : ("link" as const), path: name },
      linkname: first ?? (type === "symlink" ? this.#target(path) : ""),
      size: type === "file" ? Number(stat.size) : 0,
      mode: type === "symlink" ? 0o777 : (mode ?? ownMode),
      ...(owner ?? own),
      mtimeNs: stat.mtimeNs,
      device:
        type === "device"
          ? {
              kind: (stat.mode & S_IFMT) === 0o060000 ? "block" : "character",
              ...{ major: stat.rdevMajor, minor: stat.rdevMinor },
            }
          : undefined,
      xattrs: type === "symlink" ? new Map() : readXattrs(fd),
    };
  }

  /** The name under which a file with several names was copied first. */
  #firstLink(stat: Statx, type: string, name: string): string | undefined {
    if (type !== "file" || stat.nlink < 2) return undefined;
    const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const first = this.#linked.get(inode);
    if (first === undefined) this.#linked.set(inode, name);
    return first;
  }

  #target(path: string): string {
    return Buffer.from(readLinkInRoot(this.#tree.root, Buffer.from(path, "latin1"))).toString(
      "latin1",
    );
  }

  async *#read(path: string, { type, size }: Entry): AsyncGenerator<Uint8Array> {
    if (type !== "file" || size === 0) return;
    // Somebody may have put a FIFO in its place meanwhile, whose opening would block.
    const bytes = Buffer.from(path, "latin1");
    const fd = openInRoot(this.#tree.root, bytes, { flags: O_RDONLY | O_NONBLOCK });
    yield* createReadStream("", { fd, end: size - 1 });
  }
}

/** A Map: the formatter rewrites octal property names, and wrongly. */
const TYPES: ReadonlyMap<number, Exclude<Entry["type"], "link">> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o020000, "device"],
  [0o060000, "device"],
  [0o010000, "fifo"],
] as const);

function typeOf({ mode }: Statx): Exclude<Entry["type"], "link"> | undefined {
  return TYPES.get(mode & S_IFMT);
}

/** What belongs to a file and not to the machine that it lies on; buildah takes the same. */
const COPIED_XATTRS = /^(user\.(?!overlay\.)|security\.capability$)/;

function readXattrs(fd: number): ReadonlyMap<string, string> {
  const target = { path: `/proc/self/fd/${fd}`, follow: true };
  const xattrs = new Map<string, string>();
  for (const name of [...listXattrs(target)].sort()) {
    const value = COPIED_XATTRS.test(name) ? getXattr(target, name) : undefined;
    if (value) xattrs.set(name, Buffer.from(value).toString("latin1"));
  }
  return xattrs;
}

/** One digest for all that would be written, times left out: a new checkout is no change. */
export async function digestFiles(files: Iterable<CopiedFile>): Promise<string> {
  const all = createHash("sha256");
  for (const { entry, contents } of files) {
    const { mtimeNs: _, xattrs, ...rest } = entry;
    const hash = createHash("sha256");
    for await (const chunk of contents()) hash.update(chunk);
    all.update(JSON.stringify([rest, [...xattrs], hash.digest("hex")]));
  }
  return all.digest("hex");
}

export function toLatin1(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function below(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** A file of the host's, whole. */
export async function* readHostFile(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream("", { fd: openSync(path, O_RDONLY) });
}
