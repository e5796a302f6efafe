/**
 * A tar stream, unpacked into a directory while its digest is taken.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { invalid, parseEntry } from "./entry.ts";
import { LayerWriter, type WriteOptions } from "./layer-writer.ts";
import { extractBytes, type TarHeader } from "./tar-bytes.ts";

export interface UnpackedLayer {
  /** Digest of the uncompressed tar stream: the layer's diff id. */
  readonly diffId: string;
  /** Bytes of the uncompressed tar stream. */
  readonly size: number;
}

export interface UnpackLimits {
  /** Uncompressed bytes that an archive may have. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** More than any image has; an archive that goes on and on is a bomb. */
export const UNPACK_LIMITS: UnpackLimits = { maxBytes: 256 * 2 ** 30, maxEntries: 10_000_000 };

/**
 * Throws IMAGE_INVALID for an archive that is damaged, hostile or too large, NO_SPACE, ABORTED; the
 * caller removes the directory then. Takes the root's descriptor and closes it.
 */
export async function unpackTar(
  source: Readable,
  root: number,
  {
    limits = UNPACK_LIMITS,
    signal,
    ...write
  }: WriteOptions & {
    readonly limits?: UnpackLimits;
    readonly signal?: AbortSignal;
  },
): Promise<UnpackedLayer> {
  const digest = createHash("sha256");
  let size = 0;
  const measured = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      digest.update(chunk);
      size += chunk.length;
      done(size > limits.maxBytes ? tooLarge(limits.maxBytes) : null, chunk);
    },
  });
  const extract = extractBytes();
  using writer = new LayerWriter(root, write);
  // A member that cannot be written ends the stream, which then complains of that: the reason comes first.
  const writing = writeEntries(extract as unknown as AsyncIterable<Member>, writer, limits);
  const reading = pipeline(
    [source, measured, extract as unknown as NodeJS.WritableStream],
    signal ? { signal } : {},
  );
  for (const end of await Promise.allSettled([writing, reading])) {
    if (end.status === "rejected") throw describeFailure(end.reason, signal);
  }
  writer.finish();
  return { diffId: `sha256:${digest.digest("hex")}`, size };
}

/** A member's contents, with its header. */
type Member = AsyncIterable<Uint8Array> & { readonly header: TarHeader };

async function writeEntries(
  extract: AsyncIterable<Member>,
  writer: LayerWriter,
  { maxEntries }: UnpackLimits,
): Promise<void> {
  let count = 0;
  for await (const member of extract) {
    count += 1;
    if (count > maxEntries) throw invalid("…", `is one too many: more than ${maxEntries}`);
    await writer.write(parseEntry(member.header), member);
  }
}

function tooLarge(maxBytes: number): TsrunError {
  return new TsrunError("IMAGE_INVALID", `the archive unpacks to more than ${maxBytes} bytes`, {
    hint: "It is a decompression bomb, or not what you take it for.",
  });
}

function describeFailure(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof TsrunError) return error;
  if (signal?.aborted) {
    return new TsrunError("ABORTED", "the import was aborted", { cause: signal.reason });
  }
  if (hasErrno(error, "ENOSPC", "EDQUOT")) {
    return new TsrunError("NO_SPACE", "the disk is full: the image was not unpacked", {
      cause: error,
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  if (
    !/tar|header|end of data|Premature|zlib|incorrect|invalid|unexpected|Zstd|Unknown frame/i.test(
      message,
    )
  ) {
    return error;
  }
  return new TsrunError("IMAGE_INVALID", `the archive cannot be read: ${message}`, {
    hint: "It must be a whole tar archive, plain or compressed with gzip or zstd.",
    cause: error,
  });
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const TAR_MAGIC_OFFSET = 257;

/** The archive's bytes without their compression, which is told by what it begins with. */
export async function openArchive(path: string | "-"): Promise<Readable> {
  const raw = path === "-" ? process.stdin : createReadStream(path);
  const { head, rest } = await peek(raw, 512);
  if (head.subarray(0, 2).equals(GZIP_MAGIC)) return rest.compose(createGunzip()) as Readable;
  if (head.subarray(0, 4).equals(ZSTD_MAGIC))
    return rest.compose(createZstdDecompress()) as Readable;
  if (head.toString("latin1", TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5) !== "ustar") {
    throw new TsrunError("IMAGE_INVALID", `"${path}" is not a tar archive`, {
      hint: "It must be a tar archive, plain or compressed with gzip or zstd.",
    });
  }
  return rest;
}

/** The first bytes, and a stream that still begins with them. */
async function peek(
  stream: NodeJS.ReadableStream,
  size: number,
): Promise<{ readonly head: Buffer; readonly rest: Readable }> {
  const iterator = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
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
  return { head, rest: Readable.from(whole(), { objectMode: false }) };
}
