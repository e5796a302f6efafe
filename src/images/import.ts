/**
 * From a directory or an archive to a named image of one layer.
 */

import { randomBytes } from "node:crypto";
import { closeSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory } from "../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { UndoStack } from "../base/undo.ts";
import { openRoot, removeTree, tryFlock } from "../ffi/index.ts";
import { hostArchitecture, type ImageProcessConfig, MEDIA_TYPES } from "./config.ts";
import { packDirectory } from "./pack.ts";
import { formatReference, parseReference } from "./reference.ts";
import { type ImageStore, listDirectory, type StoredImage } from "./store.ts";
import { openArchive, type UnpackedLayer, type UnpackLimits, unpackTar } from "./unpack.ts";

export interface ImportOptions {
  /** What containers of the image do unless told otherwise. */
  readonly config?: ImageProcessConfig;
  /** RFC 3339; now without it. */
  readonly created?: string;
  readonly limits?: UnpackLimits;
  readonly signal?: AbortSignal;
}

/**
 * Imports `source`: a directory, a tar archive (plain, gzip or zstd), or "-" for one on stdin. The name
 * is taken from whatever had it. Throws NOT_FOUND, INVALID_ARGUMENT, IMAGE_INVALID, NO_SPACE, ABORTED;
 * nothing of the import is then left.
 */
export async function importImage(
  store: ImageStore,
  source: string,
  name: string,
  options: ImportOptions,
): Promise<StoredImage> {
  const reference = formatReference(parseReference(name));
  const isDirectory = source !== "-" && readIsDirectory(source);
  await removeAbandoned(store);
  using undo = new UndoStack();
  const work = await store.locked(() => claimWorkDirectory(store));
  undo.defer(() => work.release());
  const stream = isDirectory ? packDirectory(source) : await openArchive(source);
  const layer = await unpackTar(stream, openRoot(work.layer), {
    whiteouts: true,
    ...(options.limits ? { limits: options.limits } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return store.locked(() => {
    keepLayer(store, work.layer, layer);
    return store.put(reference, composeConfig(layer, source, options), [
      { mediaType: MEDIA_TYPES.layer, digest: layer.diffId, size: layer.size },
    ]);
  });
}

function readIsDirectory(source: string): boolean {
  try {
    const stat = statSync(source);
    if (stat.isDirectory() || stat.isFile() || stat.isFIFO()) return stat.isDirectory();
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new TsrunError("NOT_FOUND", `there is no "${source}" to import`, {
      hint: "Give a directory with a root file system, a tar archive of one, or - for stdin.",
    });
  }
  throw new TsrunError("INVALID_ARGUMENT", `"${source}" is neither a directory nor an archive`);
}

interface WorkDirectory {
  readonly layer: string;
  release(): void;
}

/** A directory below tmp/ whose lock says that its import lives. */
function claimWorkDirectory(store: ImageStore): WorkDirectory {
  const name = randomBytes(8).toString("hex");
  const directory = join(store.temporaryDirectory, name);
  const layer = join(directory, "layer");
  makeDirectories(layer, 0o755);
  const lock = openSync(join(directory, "lock"), "a", 0o600);
  tryFlock(lock, "exclusive");
  return {
    layer,
    release: () => {
      removeTree(directory);
      closeSync(lock);
    },
  };
}

/** What imports that were killed have left. */
export async function removeAbandoned(store: ImageStore): Promise<readonly string[]> {
  if (listDirectory(store.temporaryDirectory).length === 0) return [];
  return store.locked(() =>
    listDirectory(store.temporaryDirectory)
      .map((name) => join(store.temporaryDirectory, name))
      .filter((directory) => {
        if (!isAbandoned(directory)) return false;
        removeTree(directory);
        return true;
      }),
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

/** The layer may be there already: the same files came from elsewhere. */
function keepLayer(store: ImageStore, unpacked: string, { diffId }: UnpackedLayer): void {
  if (store.hasLayer(diffId)) return;
  const target = store.layerDirectory(diffId);
  syncDirectory(unpacked);
  renameSync(unpacked, target);
  syncDirectory(join(target, ".."));
}

function composeConfig(
  { diffId }: UnpackedLayer,
  source: string,
  { config, created = new Date().toISOString() }: ImportOptions,
): Parameters<ImageStore["put"]>[1] {
  return {
    created,
    architecture: hostArchitecture(),
    os: "linux",
    ...(config ? { config } : {}),
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created, comment: `imported from ${source === "-" ? "stdin" : source}` }],
  };
}
