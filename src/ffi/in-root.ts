/**
 * Files below a root that is not trusted, such as a container's: every path is resolved by the kernel
 * as if the root were "/". A symbolic link, however made and however it changes meanwhile, leads to
 * somewhere below the root, never to the host (openat2(2) RESOLVE_IN_ROOT).
 */
import { closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { makeDirectoryAt } from "./at.ts";
import { KernelError } from "./kernel-error.ts";
import { cString, subjectText, syscall, type Text } from "./libc.ts";
import { O_CLOEXEC, O_PATH, openat2, RESOLVE } from "./openat2.ts";
import { type Statx, statx } from "./statx.ts";

const { O_CREAT, O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const PATH_MAX = 4096;
const EINVAL = 22;

/** The root as a descriptor that can be resolved from and nothing else. This one path is trusted. */
export function openRoot(path: string): number {
  return openSync(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/** Opens `path`, absolute or relative, below the root; symbolic links are followed below the root. */
export function openInRoot(
  rootFd: number,
  path: Text,
  { flags = O_PATH, mode = 0 }: { flags?: number; mode?: number } = {},
): number {
  const resolve = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;
  return openat2(rootFd, path.length === 0 ? "." : path, { flags, mode, resolve });
}

/** The file that `path` leads to, or with `follow: false` the link itself. */
export function statInRoot(rootFd: number, path: Text, { follow = true } = {}): Statx {
  const flags = O_PATH | (follow ? 0 : O_NOFOLLOW);
  return withFd(openInRoot(rootFd, path, { flags }), (fd) => statx(fd, ""));
}

/** False if there is nothing at `path` below the root, or something on the way is no directory. */
export function existsInRoot(rootFd: number, path: Text): boolean {
  try {
    closeSync(openInRoot(rootFd, path));
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return false;
    throw error;
  }
}

/**
 * The contents of a regular file below the root. Throws INVALID_ARGUMENT for anything else (a FIFO
 * would block, a device answer strangely) and for a file above `maxBytes`: the root may be hostile.
 */
export function readFileInRoot(
  rootFd: number,
  path: Text,
  { maxBytes = 1024 * 1024 }: { maxBytes?: number } = {},
): Uint8Array {
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  // O_PATH first: opening a device for reading can have effects before anyone looks at its type.
  withFd(openInRoot(rootFd, path), (fd) => assertRegular(fd, path));
  return withFd(openInRoot(rootFd, path, { flags }), (fd) => {
    assertRegular(fd, path);
    return readAtMost(fd, path, maxBytes);
  });
}

function readAtMost(fd: number, path: Text, maxBytes: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const chunk = new Uint8Array(Math.min(64 * 1024, maxBytes + 1 - size));
    const read = readSync(fd, chunk);
    if (read === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, read));
    size += read;
    if (size > maxBytes) {
      throw new TsrunError(
        "INVALID_ARGUMENT",
        `"${subjectText(path)}" in the root is larger than ${maxBytes} bytes`,
      );
    }
  }
}

/** Writes a regular file below the root, made with `mode` if it is missing. Not atomic. */
export function writeFileInRoot(
  rootFd: number,
  path: Text,
  contents: string | Uint8Array,
  { mode = 0o644 }: { mode?: number } = {},
): void {
  if (existsInRoot(rootFd, path)) {
    withFd(openInRoot(rootFd, path), (fd) => assertRegular(fd, path));
  }
  const flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY;
  withFd(openInRoot(rootFd, path, { flags, mode }), (fd) => {
    assertRegular(fd, path); // again: it may have been exchanged
    ftruncateSync(fd);
    const bytes = typeof contents === "string" ? Buffer.from(contents) : contents;
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(fd, bytes, written);
    }
  });
}

/**
 * Makes a directory and its missing parents below the root, and returns it open (O_PATH).
 * An existing component may be a symbolic link to a directory below the root; a dangling one is
 * EEXIST, because mkdir(2) does not create through links.
 */
export function makeDirectoriesInRoot(rootFd: number, path: string, mode = 0o755): number {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  let existing = "";
  let current = openInRoot(rootFd, "/");
  for (const part of parts) {
    try {
      const next = `${existing}/${part}`;
      // Resolved from the root each time: what a ".." or an absolute link means depends on it.
      const opened = openOrMakeDirectory(rootFd, current, { path: next, name: part, mode });
      closeSync(current);
      current = opened;
      existing = next;
    } catch (error) {
      closeSync(current);
      throw error;
    }
  }
  return current;
}

function openOrMakeDirectory(
  rootFd: number,
  parentFd: number,
  { path, name, mode }: { path: string; name: string; mode: number },
): number {
  const flags = O_PATH | O_DIRECTORY;
  try {
    return openInRoot(rootFd, path, { flags });
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
  try {
    makeDirectoryAt(parentFd, name, mode);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error; // somebody else was faster, or a dangling link: the open tells
  }
  return openInRoot(rootFd, path, { flags });
}

/** The text of a symbolic link below the root. Throws KernelError EINVAL if it is not one. */
export function readLinkInRoot(rootFd: number, path: Text): Uint8Array {
  return withFd(openInRoot(rootFd, path, { flags: O_PATH | O_NOFOLLOW }), (fd) => {
    const target = new Uint8Array(PATH_MAX);
    if ((statx(fd, "").mode & S_IFMT) !== S_IFLNK) {
      // readlinkat(2) of a descriptor would say ENOENT.
      throw new KernelError("readlinkat", EINVAL, subjectText(path));
    }
    const size = syscall("readlinkat", path, fd, cString(""), target, target.length);
    return target.subarray(0, size);
  });
}

function assertRegular(fd: number, path: Text): void {
  if ((statx(fd, "").mode & S_IFMT) === S_IFREG) return;
  throw new TsrunError(
    "INVALID_ARGUMENT",
    `"${subjectText(path)}" in the root is not a regular file`,
  );
}

function withFd<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
