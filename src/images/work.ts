/**
 * What an import, pull or load is at work on: a directory below tmp/ that is its own. The lock in it
 * says that it lives, and its lease what nobody may collect meanwhile.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { removeTree, tryFlock } from "../ffi/index.ts";
import { hexOf } from "./digest.ts";
import { type ImageStore, listDirectory } from "./store.ts";

export interface Work extends Disposable {
  readonly directory: string;
  /** From now on these blobs and layers are kept, though no name leads to them yet. */
  need(digests: readonly string[]): void;
}

/** Throws what the file system says. */
export async function claimWork(store: ImageStore): Promise<Work> {
  await removeAbandoned(store);
  return store.locked(() => makeWork(store));
}

function makeWork(store: ImageStore): Work {
  const directory = join(store.temporaryDirectory, randomBytes(8).toString("hex"));
  makeDirectories(directory, 0o700);
  const lock = openSync(join(directory, "lock"), "a", 0o600);
  tryFlock(lock, "exclusive");
  return {
    directory,
    need: (digests) => {
      writeFileAtomic(join(directory, "lease"), JSON.stringify(digests.map(hexOf)));
    },
    [Symbol.dispose]: () => {
      removeTree(directory);
      closeSync(lock);
    },
  };
}

/** What is needed by work that is under way, as hexadecimal digits. Call it locked. */
export function readLeases(store: ImageStore): ReadonlySet<string> {
  return new Set(workDirectories(store).flatMap(readLease));
}

function readLease(directory: string): readonly string[] {
  try {
    return JSON.parse(readFileSync(join(directory, "lease"), "utf8")) as readonly string[];
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** Removes what was left by work that was killed; answers the paths. */
export async function removeAbandoned(store: ImageStore): Promise<readonly string[]> {
  if (workDirectories(store).length === 0) return [];
  return store.locked(() =>
    workDirectories(store).filter((directory) => {
      if (!isAbandoned(directory)) return false;
      removeTree(directory);
      return true;
    }),
  );
}

function workDirectories(store: ImageStore): readonly string[] {
  return listDirectory(store.temporaryDirectory).map((name) =>
    join(store.temporaryDirectory, name),
  );
}

function isAbandoned(directory: string): boolean {
  let fd: number;
  try {
    fd = openSync(join(directory, "lock"), "r");
  } catch (error) {
    // Directory and lock are made while the store is locked, and so is this: its maker was killed.
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return true;
    throw error;
  }
  try {
    return tryFlock(fd, "exclusive");
  } finally {
    closeSync(fd);
  }
}
