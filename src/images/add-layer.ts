/**
 * A new layer of our own: a tar stream is unpacked, and packed into a blob, as it flows. Imports, loads,
 * commits and builds add their layers here.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, ftruncateSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Transform } from "node:stream";
import { finished } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { aborted, openRoot } from "../ffi/index.ts";
import type { Descriptor } from "./config.ts";
import { type Compression, decompress, LAYER_TYPES } from "./decompress.ts";
import { flush } from "./ingest.ts";
import { keepLayer } from "./layers.ts";
import { type PackOptions, packUpper } from "./pack.ts";
import { releasingBuffers } from "./release-buffers.ts";
import { setAllTimes } from "./set-all-times.ts";
import type { ImageStore } from "./store.ts";
import { type UnpackedLayer, type UnpackLimits, unpackTar } from "./unpack.ts";
import type { Work } from "./work.ts";

export interface AddLayerOptions {
  /** Tells this layer's files from those of others of the same work. */
  readonly name?: string;
  /** How a plain archive is packed; one that is compressed already stays as it is. */
  readonly compression?: "gzip" | "zstd";
  readonly limits?: UnpackLimits;
  readonly signal?: AbortSignal;
}

/** Unpacked and packed, but still among the work's files. */
export interface AddedLayer {
  readonly descriptor: Descriptor;
  readonly layer: UnpackedLayer;
  readonly directory: string;
  readonly blob: string;
}

/** Throws IMAGE_INVALID, NO_SPACE, ABORTED; the work's directory is removed with the work. */
export async function addLayer(
  work: Work,
  archive: AsyncIterable<Uint8Array>,
  { name = "layer", compression = "zstd", limits, signal }: AddLayerOptions = {},
): Promise<AddedLayer> {
  const directory = join(work.directory, name);
  makeDirectories(directory, 0o755);
  const path = join(work.directory, `${name}.blob`);
  using blob = new BlobFile(path);
  const opened = await decompress(blob.copied(archive));
  // What is compressed already has been copied as it came; a plain archive is copied compressed.
  const packing = opened.compression === "none" ? blob.packed(compression) : undefined;
  const source = packing?.through(opened.tar) ?? opened.tar;
  const layer = await unpackTar(source, openRoot(directory), {
    whiteouts: true,
    ...(limits ? { limits } : {}),
    ...(signal ? { signal } : {}),
  });
  await packing?.end();
  const mediaType = LAYER_TYPES[opened.compression === "none" ? compression : opened.compression];
  const { digest, size } = blob.finish();
  await flush(path);
  return { descriptor: { mediaType, digest, size }, layer, directory, blob: path };
}

/**
 * The same of an overlay's upper that nobody else wants any more: it becomes the layer itself, and only the
 * blob is written. `mtimeNs` is the time of all of it. What the overlay has marked there for itself stays;
 * whoever reads layers passes it over. Throws NO_SPACE, ABORTED.
 */
export async function adoptLayer(
  work: Work,
  upper: string,
  {
    name = "layer",
    compression = "zstd",
    signal,
    ...pack
  }: Omit<AddLayerOptions, "limits"> & Pick<PackOptions, "mtimeNs" | "warn">,
): Promise<AddedLayer> {
  const path = join(work.directory, `${name}.blob`);
  using blob = new BlobFile(path);
  const packing = blob.packed(compression);
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of packing.through(releasingBuffers(packUpper(upper, pack)))) {
    if (signal?.aborted) throw aborted(signal);
    hash.update(chunk);
    size += chunk.length;
  }
  await packing.end();
  if (pack.mtimeNs !== undefined) setAllTimes(upper, pack.mtimeNs);
  const layer = { diffId: `sha256:${hash.digest("hex")}`, size, implied: [] };
  const { digest, size: blobSize } = blob.finish();
  await flush(path);
  const descriptor = { mediaType: LAYER_TYPES[compression], digest, size: blobSize };
  return { descriptor, layer, directory: upper, blob: path };
}

/** Moves an added layer into the store, on top of these. Call it locked. Answers its directory. */
export function keepAddedLayer(
  store: ImageStore,
  { descriptor, layer, directory, blob }: AddedLayer,
  on: { readonly chainId: string; readonly below: readonly string[] },
): string {
  const target = store.blobPath(descriptor.digest);
  if (!existsSync(target)) renameSync(blob, target);
  faultPoint();
  return keepLayer(store, directory, { ...on, layer });
}

/** The file that becomes the blob, with the digest of what was written to it. */
class BlobFile implements Disposable {
  readonly #fd: number;
  #hash = createHash("sha256");
  #size = 0;
  #isPacked: boolean = false;

  constructor(path: string) {
    this.#fd = openSync(path, "wx", 0o600);
  }

  /** Passes the archive on, and writes it until it turns out that something else is to be written. */
  async *copied(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of releasingBuffers(archive)) {
      if (!this.#isPacked) this.#write(chunk);
      yield chunk;
    }
  }

  packed(compression: Exclude<Compression, "none">): Packing {
    this.#isPacked = true;
    this.#hash = createHash("sha256");
    this.#size = 0;
    return new Packing(compression, (chunk) => this.#write(chunk));
  }

  /** Cuts off what was written before it was known what is to be written. */
  finish(): { readonly digest: string; readonly size: number } {
    ftruncateSync(this.#fd, this.#size);
    return { digest: `sha256:${this.#hash.digest("hex")}`, size: this.#size };
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #write(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    try {
      for (let written = 0; written < chunk.length; ) {
        const rest = chunk.length - written;
        written += writeSync(this.#fd, chunk, written, rest, this.#size + written);
      }
    } catch (error) {
      if (!hasErrno(error, "ENOSPC", "EDQUOT")) throw error;
      throw new TsrunError("NO_SPACE", "the disk is full: the image was not stored", {
        hint: "Free some space, or point --root at a larger disk. What was stored of it is removed.",
        cause: error,
      });
    }
    this.#size += chunk.length;
  }
}

/** A compressor beside a stream that flows on: it works on another core. */
class Packing {
  readonly #compressor: Transform;
  readonly #written: Promise<void>;
  #failure: { readonly error: unknown } | undefined;

  constructor(compression: Exclude<Compression, "none">, write: (chunk: Uint8Array) => void) {
    this.#compressor = compression === "gzip" ? createGzip({ level: 6 }) : createZstd();
    this.#compressor.on("data", (chunk: Uint8Array) => {
      try {
        write(chunk);
      } catch (error) {
        // Thrown in a listener it would end the process, and nothing would be cleaned up.
        this.#failure ??= { error };
        this.#compressor.destroy(error as Error);
      }
    });
    this.#written = finished(this.#compressor);
    this.#written.catch(() => {}); // end() tells it
  }

  async *through(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar) {
      if (this.#failure) throw this.#failure.error;
      if (!this.#compressor.write(chunk)) await once(this.#compressor, "drain");
      yield chunk;
    }
  }

  async end(): Promise<void> {
    this.#compressor.end();
    await this.#written;
  }
}

/** The quickest that is worth it: an import of 200 MB takes as long as with no compression at all. */
function createZstd(): Transform {
  return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}
