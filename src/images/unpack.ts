/**
 * A tar stream, unpacked into a directory while its digest is taken.
 */
import { createHash } from "node:crypto";
import { addAbortSignal, Readable } from "node:stream";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { parseEntry } from "./entry.ts";
import { invalid } from "./invalid-member.ts";
import { LayerWriter, type WriteOptions } from "./layer-writer.ts";
import { type TarHeader, TarParser } from "./tar-bytes.ts";

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
  using writer = new LayerWriter(root, write);
  const parser = new TarParser(memberWriter(writer, limits));
  try {
    for await (const chunk of abortable(source, signal)) {
      digest.update(chunk);
      size += chunk.length;
      if (size > limits.maxBytes) throw tooLarge(limits.maxBytes);
      parser.write(chunk);
    }
    // umoci insert leaves out the last member's padding. Of a digest that is known nothing is cut off.
    if (diffId !== undefined) parser.write(new Uint8Array(-size & (BLOCK_BYTES - 1)));
    parser.end();
  } catch (error) {
    throw describeFailure(error, signal);
  }
  const implied = writer.finish();
  const found = `sha256:${digest.digest("hex")}`;
  if (diffId !== undefined && found !== diffId) throw wrongDiffId(diffId, found);
  return { diffId: found, size, implied };
}

function memberWriter(writer: LayerWriter, { maxEntries, maxBytes }: UnpackLimits) {
  let count = 0;
  return (header: TarHeader) => {
    count += 1;
    if (count > maxEntries) throw invalid("…", `is one too many: more than ${maxEntries}`);
    const entry = parseEntry(header);
    // Its holes cost nothing here, but whoever reads it reads them.
    if (entry.sparse && entry.sparse.size > maxBytes) throw tooLarge(maxBytes);
    return writer.begin(entry);
  };
}

/** Ends with an error as soon as the signal says so, whatever the source is waiting for. */
function abortable(
  source: Readable | AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  if (!signal) return source;
  const stream = source instanceof Readable ? source : Readable.from(source, { objectMode: false });
  return addAbortSignal(signal, stream);
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
