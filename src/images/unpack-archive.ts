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

/** Throws as unpackTar does. */
export async function unpackArchive(
  bytes: AsyncIterable<Uint8Array>,
  directory: string,
  options: UnpackArchiveOptions,
): Promise<UnpackedLayer> {
  const { tar } = await decompress(bytes);
  return unpackTar(releasingBuffers(tar), openRoot(directory), { whiteouts: true, ...options });
}
