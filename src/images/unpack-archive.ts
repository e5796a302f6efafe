/** A layer's archive as a registry has it, unpacked into a directory of its own, in this thread. */
import { openRoot } from "../ffi/index.ts";
import { decompress } from "./decompress.ts";
import { releasingBuffers } from "./release-buffers.ts";
import { type UnpackedLayer, type UnpackLimits, unpackTar } from "./unpack.ts";

export interface UnpackArchiveOptions {
  /** What the digest of the unpacked archive must be. */
  readonly diffId: string;
  readonly limits?: UnpackLimits;
  readonly signal?: AbortSignal;
}

/**
 * Reads all of the bytes, also those behind the archive's end: who passes them on wants them whole. Throws
 * as unpackTar does.
 */
export async function unpackArchive(
  bytes: AsyncIterable<Uint8Array>,
  directory: string,
  options: UnpackArchiveOptions,
): Promise<UnpackedLayer> {
  const source = bytes[Symbol.asyncIterator]();
  try {
    const { tar } = await decompress(keptOpen(source));
    const how = { whiteouts: true, ...options };
    const layer = await unpackTar(releasingBuffers(tar), openRoot(directory), how);
    while (!(await source.next()).done);
    return layer;
  } finally {
    await source.return?.();
  }
}

/** What a stream that has enough does not close. */
function keptOpen(source: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) };
}
