/**
 * A thread that unpacks layers, one after the other, from files that grow meanwhile: the module that
 * unpack-pool.ts starts its threads with. What it is not to do is anything that a killed pull would have
 * to repair: that stays with who writes the file.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { unpackArchive } from "./unpack-archive.ts";
import { encodeError, type FromUnpacker, type ToUnpacker } from "./unpack-messages.ts";

type Begin = Extract<ToUnpacker, { readonly kind: "unpack" }>;

/** Of packed bytes: a few steps of decompression, so that it seldom waits for this thread to read more. */
const READ_BYTES = 128 * 1024;

/** The layer that is being unpacked. */
class Unpacking {
  readonly #stop = new AbortController();
  /** Bytes that the file has. */
  #length = 0;
  #isAll: boolean = false;
  #wake: () => void = () => {};

  hasGrown(length: number): void {
    this.#length = length;
    this.#wake();
  }

  end(): void {
    this.#isAll = true;
    this.#wake();
  }

  abort(): void {
    this.#stop.abort();
    this.end();
  }

  async run({ file, directory, diffId, limits }: Begin): Promise<FromUnpacker> {
    try {
      const layer = await unpackArchive(this.#bytes(file), directory, {
        diffId,
        ...(limits ? { limits } : {}),
        signal: this.#stop.signal,
      });
      return { kind: "unpacked", layer };
    } catch (error) {
      return { kind: "failed", error: encodeError(error) };
    }
  }

  async *#bytes(file: string): AsyncGenerator<Uint8Array, void, undefined> {
    let fd: number | undefined;
    try {
      for (let at = 0; ; ) {
        while (at === this.#length && !this.#isAll) await this.#growth();
        if (at === this.#length) return;
        // It is there as soon as something is in it.
        fd ??= openSync(file, "r");
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, this.#length - at));
        const length = readSync(fd, buffer, 0, buffer.length, at);
        if (length === 0) throw new Error(`"${file}" is shorter than was said`);
        at += length;
        yield buffer.subarray(0, length);
      }
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  #growth(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

let current: Unpacking | undefined;

function receive(message: ToUnpacker): void {
  if (message.kind === "unpack") {
    current = new Unpacking();
    void current.run(message).then(send);
  } else if (message.kind === "bytes") current?.hasGrown(message.length);
  else if (message.kind === "end") current?.end();
  else current?.abort();
}

function send(message: FromUnpacker): void {
  parentPort?.postMessage(message);
}

parentPort?.on("message", receive);
