/**
 * A tar stream, unpacked into a directory while its digest is taken.
 */
import { createHash } from "node:crypto";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { parseEntry } from "./entry.ts";
import { invalid } from "./invalid-member.ts";
import { LayerWriter, type WriteOptions } from "./layer-writer.ts";
import { extractBytes, type TarHeader } from "./tar-bytes.ts";

export interface UnpackedLayer {
  /** Digest of the uncompressed tar stream: the layer's diff id. */
  readonly diffId: string;
  /** Bytes of the uncompressed tar stream. */
  readonly size: number;
  /** Directories that the archive leaves to the layers below; "" is the root. One character a byte. */
  readonly implied: readonly string[];
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
  source: Readable | AsyncIterable<Uint8Array>,
  root: number,
  {
    limits = UNPACK_LIMITS,
    signal,
    diffId,
    ...write
  }: WriteOptions & {
    readonly limits?: UnpackLimits;
    readonly signal?: AbortSignal;
    /** What the digest must be. */
    readonly diffId?: string;
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
    flush(done) {
      // umoci insert leaves out the last member's padding. Of a digest that is known nothing is cut off.
      const missing = diffId === undefined ? 0 : -size & (BLOCK_BYTES - 1);
      done(null, missing === 0 ? undefined : new Uint8Array(missing));
    },
  });
  const extract = extractBytes();
  using writer = new LayerWriter(root, write);
  // A member that cannot be written ends the stream, which then complains of that: the reason comes first.
  const writing = writeEntries(extract as unknown as AsyncIterable<Member>, writer, limits);
  const reading = pipeline(
    Readable.from(source, { objectMode: false }),
    measured,
    extract as unknown as NodeJS.WritableStream,
    signal ? { signal } : {},
  );
  for (const end of await Promise.allSettled([writing, reading])) {
    if (end.status === "rejected") throw describeFailure(end.reason, signal);
  }
  const implied = writer.finish();
  const found = `sha256:${digest.digest("hex")}`;
  if (diffId !== undefined && found !== diffId) throw wrongDiffId(diffId, found);
  return { diffId: found, size, implied };
}

/** A member's contents, with its header. */
type Member = AsyncIterable<Uint8Array> & { readonly header: TarHeader };

async function writeEntries(
  extract: AsyncIterable<Member>,
  writer: LayerWriter,
  { maxEntries, maxBytes }: UnpackLimits,
): Promise<void> {
  let count = 0;
  for await (const member of extract) {
    count += 1;
    if (count > maxEntries) throw invalid("…", `is one too many: more than ${maxEntries}`);
    const entry = parseEntry(member.header);
    // Its holes cost nothing here, but whoever reads it reads them.
    if (entry.sparse && entry.sparse.size > maxBytes) throw tooLarge(maxBytes);
    await writer.write(entry, member);
  }
}

const BLOCK_BYTES = 512;

function wrongDiffId(expected: string, found: string): TsrunError {
  return new TsrunError("IMAGE_INVALID", `a layer unpacks to ${found}`, {
    hint: `The image's configuration says ${expected}: one of the two was changed.`,
  });
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
