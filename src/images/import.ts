/**
 * From a directory or an archive to a named image of one layer.
 */
import { createReadStream, statSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { addLayer, keepAddedLayer } from "./add-layer.ts";
import { composeManifest, jsonDocument } from "./compose.ts";
import {
  hostArchitecture,
  type ImageConfig,
  type ImageProcessConfig,
  MEDIA_TYPES,
} from "./config.ts";
import { checkArchive } from "./decompress.ts";
import { packDirectory } from "./pack.ts";
import { formatReference, parseReference } from "./reference.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import type { UnpackLimits } from "./unpack.ts";
import { claimWork } from "./work.ts";

export interface ImportOptions {
  /** What containers of the image do unless told otherwise. */
  readonly config?: ImageProcessConfig;
  /** What its history says of it: where it is from, without it. */
  readonly comment?: string;
  /** RFC 3339; now without it. */
  readonly created?: string;
  /** How the layer is packed, unless the archive is already: zstd without it. */
  readonly compression?: "gzip" | "zstd";
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
  const archive = openSource(source);
  using work = await claimWork(store);
  const added = await addLayer(work, archive, options);
  const { diffId } = added.layer;
  return store.locked(() => {
    keepAddedLayer(store, added, { chainId: diffId, below: [] });
    const config = jsonDocument(MEDIA_TYPES.config, composeConfig(diffId, source, options));
    const manifest = composeManifest(config, [added.descriptor]);
    return store.put({ name: reference, manifest, config });
  });
}

function openSource(source: string): AsyncIterable<Uint8Array> {
  if (source !== "-" && readIsDirectory(source)) return packDirectory(source);
  return checkArchive(source === "-" ? process.stdin : createReadStream(source), source);
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

function composeConfig(
  diffId: string,
  source: string,
  {
    config,
    created = new Date().toISOString(),
    comment = `imported from ${source === "-" ? "stdin" : source}`,
  }: ImportOptions,
): ImageConfig {
  return {
    created,
    architecture: hostArchitecture(),
    os: "linux",
    ...(config ? { config } : {}),
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created, comment }],
  };
}
