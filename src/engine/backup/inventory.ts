/**
 * What is in a tree, so that the next backup can tell what has changed: for each path what a file that
 * was written to, replaced or renamed cannot keep.
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { openat2, openRoot, RESOLVE, type Statx, statx } from "../../ffi/index.ts";

/** By path below the tree, one character a byte; "" is the tree itself. */
export type Inventory = Readonly<Record<string, string>>;

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** Looks at every file by name in open directories: no link leads out of the tree. */
export function readInventory(path: string): Inventory {
  const found: Record<string, string> = Object.create(null);
  const root = openRoot(path);
  try {
    visit(root, Buffer.from("."), "", found);
  } finally {
    closeSync(root);
  }
  return found;
}

function visit(
  parent: number,
  name: Uint8Array,
  path: string,
  found: Record<string, string>,
): void {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  const fd = openat2(parent, name, { flags, resolve: RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS });
  try {
    found[path] = fingerprint(statx(fd, ""));
    for (const entry of readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })) {
      const below = path === "" ? entry.toString("latin1") : `${path}/${entry.toString("latin1")}`;
      visitEntry(fd, entry, below, found);
    }
  } finally {
    closeSync(fd);
  }
}

function visitEntry(
  parent: number,
  entry: Buffer,
  path: string,
  found: Record<string, string>,
): void {
  try {
    const stat = statx(parent, entry);
    if ((stat.mode & S_IFMT) === S_IFDIR) visit(parent, entry, path, found);
    else found[path] = fingerprint(stat);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error; // it has just gone
  }
}

/** A directory is packed always: of it only counts whether it is the same one. */
export function fingerprint(
  stat: Pick<Statx, "mode" | "ino" | "ctimeNs" | "mtimeNs" | "size">,
): string {
  const { mode, ino, ctimeNs, mtimeNs, size } = stat;
  const isDirectory = (mode & S_IFMT) === S_IFDIR;
  return isDirectory ? `d:${ino}` : [mode.toString(8), ino, ctimeNs, mtimeNs, size].join(":");
}

export interface Changes {
  /** Whether a file has to be packed. One that is in neither inventory is new. */
  readonly includes: (path: string) => boolean;
  /** What is to be removed before the rest is unpacked; nothing in what is removed is named again. */
  readonly removed: readonly string[];
}

/** What makes `after` of `before`. Pure. */
export function planChanges(before: Inventory, after: Inventory): Changes {
  const removed: string[] = [];
  let last: string | undefined;
  for (const path of Object.keys(before).sort()) {
    if (last !== undefined && path.startsWith(`${last}/`)) continue;
    if (path === "" || isStill(before[path], after[path])) continue;
    removed.push(path);
    last = path;
  }
  const gone = new Set(removed);
  return {
    removed,
    includes: (path) =>
      after[path] === undefined || after[path] !== before[path] || isBelow(path, gone),
  };
}

/** A file that changed is replaced as it is unpacked; what was or is a directory has to go first. */
function isStill(before: string | undefined, after: string | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  const directories = [before, after].filter((text) => text.startsWith("d:")).length;
  return directories === 0 || before === after;
}

function isBelow(path: string, directories: ReadonlySet<string>): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    if (directories.has(path.slice(0, at))) return true;
  }
  return false;
}
