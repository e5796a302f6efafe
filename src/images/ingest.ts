/**
 * A blob on its way into the store: ingest/HEX grows as the bytes come, and is renamed when they are all
 * there and have the right digest. What a broken or killed pull has left is gone on with. Who wants
 * the same blob meanwhile, in whatever process, waits and then has it.
 */
import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { writeAt } from "../base/write-at.ts";
import { flock, isStillAt } from "../ffi/index.ts";
import type { Descriptor } from "./config.ts";
import { hexOf } from "./digest.ts";
import type { ImageStore } from "./store.ts";

const { O_CREAT, O_RDWR } = constants;

/** Where a blob's bytes come from: from an offset on, or an error. Checks size and digest at the end. */
export type BlobSource = (
  descriptor: Descriptor,
  from: { readonly offset: number; readonly hash: Hash },
) => AsyncIterable<Uint8Array>;

export class Ingest implements Disposable {
  readonly #store: ImageStore;
  readonly #descriptor: Descriptor;
  readonly #lock: number;
  /** The file that the bytes are in as soon as they come. */
  readonly path: string;
  #isWhole: boolean = false;
  /** It runs while the layer's last files are unpacked. */
  #flushed: Promise<void> | undefined;

  private constructor(store: ImageStore, descriptor: Descriptor, lock: number) {
    this.#store = store;
    this.#descriptor = descriptor;
    this.#lock = lock;
    this.path = ingestPath(store, descriptor.digest);
  }

  /** Waits until nobody else is at this blob. Rejects with ABORTED. */
  static async begin(
    store: ImageStore,
    descriptor: Descriptor,
    signal?: AbortSignal,
  ): Promise<Ingest> {
    const path = lockPath(store, descriptor.digest);
    for (;;) {
      const fd = openSync(path, O_RDWR | O_CREAT, 0o600);
      try {
        await flock(fd, "exclusive", signal);
        // Its last holder removed it: others may hold a new one by now.
        if (isStillAt(fd, path)) return new Ingest(store, descriptor, fd);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      closeSync(fd);
    }
  }

  /** Bytes that an earlier pull has left. */
  get resumable(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** All bytes of the blob, as they come: those that are here already, then the source's. */
  async *bytes(source: BlobSource): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createHash("sha256");
    const fd = openSync(this.path, O_RDWR | O_CREAT, 0o600);
    try {
      const offset = this.#reusable(fd);
      for await (const chunk of readChunks(this.path, offset)) {
        hash.update(chunk);
        yield chunk;
      }
      let at = offset;
      for await (const chunk of source(this.#descriptor, { offset, hash })) {
        writeAt(fd, chunk, at);
        at += chunk.length;
        yield chunk;
      }
      this.#isWhole = true;
      this.#flushed = flush(this.path);
      this.#flushed.catch(() => {}); // finish() tells it
    } catch (error) {
      // A full disk needs the room.
      if (hasErrno(error, "ENOSPC", "EDQUOT")) this.discard();
      throw describeFull(error);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes it a blob, which a power cut does not take away. After `bytes` has ended. */
  async finish(): Promise<void> {
    if (!this.#isWhole) throw new Error("a blob was not read to its end");
    await this.#flushed;
    faultPoint();
    renameSync(this.path, this.#store.blobPath(this.#descriptor.digest));
    faultPoint();
  }

  /** Forgets what has come: wrong bytes stay wrong. */
  discard(): void {
    rmSync(this.path, { force: true });
  }

  [Symbol.dispose](): void {
    rmSync(lockPath(this.#store, this.#descriptor.digest), { force: true });
    closeSync(this.#lock);
  }

  #reusable(fd: number): number {
    const { size } = fstatSync(fd);
    if (size <= this.#descriptor.size) return size;
    ftruncateSync(fd, 0);
    return 0;
  }
}

export function ingestPath(store: ImageStore, digest: string): string {
  return join(store.ingestDirectory, hexOf(digest));
}

function lockPath(store: ImageStore, digest: string): string {
  return `${ingestPath(store, digest)}.lock`;
}

/** Waits until what was written to the file is on the disk, on another thread. Throws NO_SPACE. fsync(2). */
export async function flush(path: string): Promise<void> {
  await using file = await open(path, "r");
  try {
    await file.sync();
  } catch (error) {
    throw describeFull(error);
  }
}

const READ_BYTES = 1 << 20;

/** A file's first bytes. */
export async function* readChunks(
  path: string,
  length: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (length === 0) return;
  await using file = await open(path, "r");
  for (let at = 0; at < length; ) {
    // A new buffer each time: whoever got the last one may not be done with it.
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, length - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function describeFull(error: unknown): unknown {
  if (error instanceof TsrunError || !hasErrno(error, "ENOSPC", "EDQUOT")) return error;
  return new TsrunError("NO_SPACE", "the disk is full: the image was not stored", {
    hint: "Free some space, or point --root at a larger disk. What was stored of it is removed.",
    cause: error,
  });
}
