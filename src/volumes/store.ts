/**
 * Volumes on the disk. Each becomes visible, and vanishes, by one rename of its whole directory: a
 * command that is killed leaves at most a hidden directory that nobody has locked.
 */
import {
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { syncDirectory, writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { randomHex } from "../base/random.ts";
import { UndoStack } from "../base/undo.ts";
import {
  AT_FDCWD,
  type FileLock,
  heldLock,
  type LockKind,
  lockFile,
  removeTree,
  renameAt,
  tryFlock,
  tryLockFile,
} from "../ffi/index.ts";
import type { Backing } from "./plan-backing.ts";
import { parseRecord, type VolumeRecord, volumePaths, volumesDirectory } from "./record.ts";

/** Held until it is disposed of. */
export type VolumeLock = FileLock;

/**
 * Makes the volume and answers its lock, exclusive; undefined if there is one of that name.
 * Throws what the file system says.
 */
export function createVolume(
  root: string,
  record: VolumeRecord,
  backing: Backing,
  /** Puts into the new volume's directory, which has an empty _data, what it begins with. */
  fill: (directory: string) => void = () => {},
): VolumeLock | undefined {
  const directory = volumesDirectory(root);
  const hidden = `${directory}/.new-${randomHex(8)}`;
  using undo = new UndoStack();
  makeDirectories(directory, 0o711);
  mkdirSync(hidden, { mode: 0o711 });
  undo.defer(() => removeTree(hidden));
  const fd = openSync(hidden, constants.O_RDONLY | constants.O_DIRECTORY);
  undo.defer(() => closeSync(fd));
  // A repair that saw it between the two lines took it for abandoned; then the rename fails.
  tryFlock(fd, "exclusive");
  mkdirSync(`${hidden}/_data`, { mode: 0o755 });
  if (backing.kind === "directory") {
    chownSync(`${hidden}/_data`, backing.uid ?? -1, backing.gid ?? -1);
  }
  fill(hidden);
  writeFileAtomic(`${hidden}/volume.json`, encode(record), { mode: 0o600, durable: true });
  faultPoint();
  if (!renameTo(hidden, volumePaths(root, record.name).dir)) return undefined;
  faultPoint();
  undo.keep();
  syncDirectory(directory);
  return heldLock(fd);
}

function renameTo(from: string, to: string): boolean {
  try {
    renameAt({ dirFd: AT_FDCWD, name: from }, { dirFd: AT_FDCWD, name: to }, "keep");
    return true;
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return false;
    throw error;
  }
}

/** undefined if there is no such volume. Throws STORE_UNAVAILABLE for a damaged record. */
export function readVolume(root: string, name: string): VolumeRecord | undefined {
  const path = volumePaths(root, name).record;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  return parseRecord(text, name, path);
}

/** The caller has the lock, exclusive. */
export function writeVolume(root: string, record: VolumeRecord): void {
  const { record: path } = volumePaths(root, record.name);
  writeFileAtomic(path, encode(record), { mode: 0o600, durable: true });
  faultPoint();
}

function encode(record: VolumeRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** By name. A damaged record is told to `onDamaged` and left out. */
export function listVolumes(
  root: string,
  onDamaged: (error: TsrunError, name: string) => void,
): VolumeRecord[] {
  return names(root)
    .filter((name) => !name.startsWith("."))
    .sort()
    .flatMap((name) => {
      try {
        return readVolume(root, name) ?? [];
      } catch (error) {
        if (!(error instanceof TsrunError)) throw error;
        onDamaged(error, name);
        return [];
      }
    });
}

function names(root: string): string[] {
  try {
    return readdirSync(volumesDirectory(root));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Waits for the lock; undefined for a volume that is gone by then. Rejects with ABORTED. */
export async function lockVolume(
  root: string,
  name: string,
  kind: LockKind,
  signal?: AbortSignal,
): Promise<VolumeLock | undefined> {
  const path = volumePaths(root, name).dir;
  const fd = openIfThere(path);
  return fd === undefined ? undefined : lockFile(fd, kind, { path, signal });
}

/** The exclusive lock if nobody has any; undefined for one that is held or gone. */
export function tryLockVolume(root: string, name: string): VolumeLock | undefined {
  const path = volumePaths(root, name).dir;
  const fd = openIfThere(path);
  if (fd === undefined) return undefined;
  const lock = tryLockFile(fd, path);
  return typeof lock === "string" ? undefined : lock;
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** With everything in it. The caller has the lock, exclusive; nothing may be mounted on it. */
export function deleteVolume(root: string, name: string): void {
  const { dir } = volumePaths(root, name);
  const hidden = `${volumesDirectory(root)}/.old-${randomHex(8)}`;
  faultPoint();
  renameAt({ dirFd: AT_FDCWD, name: dir }, { dirFd: AT_FDCWD, name: hidden }, "keep");
  faultPoint();
  removeTree(hidden);
}

/** Removes what is in it, and keeps the directory itself. The caller has the lock, exclusive. */
export function clearVolume(root: string, name: string): void {
  const { data } = volumePaths(root, name);
  for (const entry of readdirSync(data)) removeTree(`${data}/${entry}`);
}

/** Directories of makings and removals that were killed. */
export function abandonedVolumes(root: string): readonly string[] {
  return names(root)
    .filter((name) => /^\.(new|old)-/.test(name) && isFree(root, name))
    .map((name) => volumePaths(root, name).dir);
}

function isFree(root: string, name: string): boolean {
  using lock = tryLockVolume(root, name);
  return lock !== undefined;
}

export function removeAbandonedVolume(path: string): void {
  removeTree(path);
}
