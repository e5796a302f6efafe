/**
 * Archives as they come, plain or compressed, as the tar stream that they are.
 */
import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { TsrunError } from "../base/errors.ts";
import { MEDIA_TYPES } from "./config.ts";
import { splitZstdFrames } from "./zstd-frames.ts";

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** The first of a zstd file's frames may be one that is to be skipped. */
const ZSTD_SKIPPABLE = 0x184d2a50;
const TAR_MAGIC_OFFSET = 257;
/** Packed bytes that may lie ready: what waits for longer than two collections is kept (release-buffers.ts). */
const INPUT_BYTES = 128 * 1024;
const OUTPUT_CHUNK_BYTES = 256 * 1024;

export type Compression = "none" | "gzip" | "zstd";

export const LAYER_TYPES: Readonly<Record<Compression, string>> = {
  none: MEDIA_TYPES.layer,
  gzip: MEDIA_TYPES.layerGzip,
  zstd: MEDIA_TYPES.layerZstd,
};

/** A compressed or plain stream, and what it turned out to be. */
export interface OpenedArchive {
  readonly compression: Compression;
  readonly tar: Readable;
}

/** A layer's bytes without their compression, which is told by what they begin with. */
export async function decompress(bytes: AsyncIterable<Uint8Array>): Promise<OpenedArchive> {
  const { head, rest } = await peek(bytes, 512);
  const compression = compressionOf(head);
  return { compression, tar: decompressAs(compression, rest) };
}

function compressionOf(head: Buffer): Compression {
  if (head.subarray(0, 2).equals(GZIP_MAGIC)) return "gzip";
  const isZstd =
    head.subarray(0, 4).equals(ZSTD_MAGIC) ||
    (head.length >= 4 && (head.readUInt32LE(0) & ~0xf) === ZSTD_SKIPPABLE);
  return isZstd ? "zstd" : "none";
}

function decompressAs(compression: Compression, bytes: AsyncIterable<Uint8Array>): Readable {
  if (compression === "none") return Readable.from(bytes, { objectMode: false });
  // Node's zlib works in a thread of its own, but only while it has more to take and room for what it makes.
  const options = {
    chunkSize: OUTPUT_CHUNK_BYTES,
    readableHighWaterMark: 2 * OUTPUT_CHUNK_BYTES,
    writableHighWaterMark: INPUT_BYTES,
  };
  // The end of a pipeline gives the error of whatever failed in it.
  const ignore = () => {};
  if (compression === "gzip") return pipeline(bytes, createGunzip(options), ignore);
  return pipeline(bytes, splitZstdFrames(), createZstdDecompress(options), ignore);
}

/** Passes on what is an archive, plain or compressed. Throws IMAGE_INVALID for anything else. */
export async function* checkArchive(
  bytes: AsyncIterable<Uint8Array | string>,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { head, rest } = await peek(bytes as AsyncIterable<Uint8Array>, 512);
  const isTar = head.toString("latin1", TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5) === "ustar";
  if (compressionOf(head) === "none" && !isTar) {
    throw new TsrunError("IMAGE_INVALID", `"${name}" is not a tar archive`, {
      hint: "It must be a tar archive, plain or compressed with gzip or zstd.",
    });
  }
  yield* rest;
}

/** The first bytes, and all that still begins with them. */
async function peek(
  stream: AsyncIterable<Uint8Array>,
  size: number,
): Promise<{ readonly head: Buffer; readonly rest: AsyncIterable<Uint8Array> }> {
  const iterator = stream[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < size) {
    const { value, done } = await iterator.next();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  const head = Buffer.concat(chunks);
  async function* whole() {
    if (head.length > 0) yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { head, rest: whole() };
}
