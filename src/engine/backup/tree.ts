/**
 * Preparing a tree that is there for what has changed since: it was unpacked from an archive, so nothing
 * in it may lead out of it.
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import {
  listXattrs,
  O_PATH,
  openat2,
  openRoot,
  RESOLVE,
  removeTreeAt,
  removeXattr,
  type Statx,
  statx,
} from "../../ffi/index.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const INSIDE = RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS;

/** Removes these paths, which have one character a byte; what is not there is fine. */
export function removeBelow(tree: string, paths: readonly string[]): void {
  const root = openRoot(tree);
  try {
    for (const path of paths) removePath(root, path);
  } finally {
    closeSync(root);
  }
}

function removePath(root: number, path: string): void {
  const slash = path.lastIndexOf("/");
  const name = Buffer.from(path.slice(slash + 1), "latin1");
  if (["", ".", ".."].includes(name.toString("latin1"))) return;
  const directory = slash < 0 ? "." : path.slice(0, slash);
  let parent: number;
  try {
    const flags = O_PATH | O_DIRECTORY;
    parent = openat2(root, Buffer.from(directory, "latin1"), { flags, resolve: INSIDE });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EXDEV", "EINVAL")) return; // nothing of the tree's
    throw error;
  }
  try {
    removeTreeAt(parent, name);
  } finally {
    closeSync(parent);
  }
}

/** Takes every extended attribute from every directory: each is unpacked anew, with those that it has. */
export function emptyOfAttributes(tree: string): void {
  const root = openRoot(tree);
  try {
    visit(root, Buffer.from("."));
  } finally {
    closeSync(root);
  }
}

function visit(parent: number, name: Uint8Array): void {
  const fd = openat2(parent, name, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, resolve: INSIDE });
  try {
    for (const xattr of listXattrs(fd)) removeXattr(fd, xattr);
    for (const entry of readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })) {
      if (isDirectory(statx(fd, entry))) visit(fd, entry);
    }
  } finally {
    closeSync(fd);
  }
}

function isDirectory({ mode }: Statx): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}
