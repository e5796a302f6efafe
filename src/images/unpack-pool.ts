/**
 * Threads that unpack layers, several at once. The bytes stay with the caller, who stores them and takes
 * their digest; here they are handed on, never more at a time than a thread needs to be busy.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Turns } from "./turns.ts";
import type { UnpackedLayer } from "./unpack.ts";
import type { UnpackArchiveOptions } from "./unpack-archive.ts";
import { decodeError, type FromUnpacker, type ToUnpacker } from "./unpack-messages.ts";

/** dist/ has it as a file of its own; in src/ Node takes the types away. */
const MODULE = import.meta.filename.endsWith(".ts") ? "unpack-worker.ts" : "unpack-worker.cjs";

/**
 * Compressed bytes on their way to a thread: enough for the time in which it is told of the next. What
 * waits for longer than two collections (release-buffers.ts) would be kept until a great one.
 */
const MOST_ON_THE_WAY = 1 << 18;

/** Of what a thread makes, nearly nothing lives for longer than its chunk. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

export interface UnpackJob extends UnpackArchiveOptions {
  readonly directory: string;
}

/**
 * Threads, started as they are needed, but no more than can run at once: each one's code is slow until V8
 * has learned which of it is hot. Disposing ends them.
 */
export class UnpackPool implements AsyncDisposable {
  readonly #turns = new Turns(Math.max(2, availableParallelism()));
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  /**
   * Unpacks a plain or compressed archive into the directory. Throws as unpackTar does, and what `bytes`
   * throws; nothing is written into the directory any more when it has ended.
   */
  unpack(bytes: AsyncIterable<Uint8Array>, job: UnpackJob): Promise<UnpackedLayer> {
    return this.#turns.take(() => this.#unpack(bytes, job));
  }

  async #unpack(bytes: AsyncIterable<Uint8Array>, job: UnpackJob): Promise<UnpackedLayer> {
    const worker = this.#idle.pop() ?? this.#start();
    try {
      return await new Unpacking(worker, job).run(bytes);
    } finally {
      if (this.#all.has(worker)) this.#idle.push(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(join(import.meta.dirname, MODULE), {
      execArgv: [],
      resourceLimits: LIMITS,
      // The descriptors are the kernel's own (openat2): Node knows nothing of them.
      trackUnmanagedFds: false,
    });
    this.#all.add(worker);
    // What makes a thread end is told to whoever waits for it: see Unpacking.
    worker.on("error", () => this.#all.delete(worker));
    worker.on("exit", () => this.#all.delete(worker));
    return worker;
  }
}

/** One layer in one thread. */
class Unpacking {
  readonly #worker: Worker;
  readonly #job: UnpackJob;
  readonly #end = Promise.withResolvers<UnpackedLayer>();
  #hasFailed: boolean = false;
  #onTheWay = 0;
  #wake: () => void = () => {};

  constructor(worker: Worker, job: UnpackJob) {
    this.#worker = worker;
    this.#job = job;
    this.#end.promise.catch(() => {}); // run() tells it
  }

  async run(bytes: AsyncIterable<Uint8Array>): Promise<UnpackedLayer> {
    const { signal, directory, diffId, limits } = this.#job;
    const abort = () => this.#send({ kind: "abort" });
    this.#worker.on("message", this.#receive);
    this.#worker.on("error", this.#fail);
    this.#worker.on("exit", this.#lose);
    signal?.addEventListener("abort", abort);
    try {
      this.#send({ kind: "unpack", directory, diffId, ...(limits ? { limits } : {}) });
      if (signal?.aborted) abort();
      await this.#pass(bytes);
      return await this.#end.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#worker.off("message", this.#receive);
      this.#worker.off("error", this.#fail);
      this.#worker.off("exit", this.#lose);
    }
  }

  async #pass(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of bytes) {
        if (this.#hasFailed) return;
        // A copy of its own: a view would be sent with all the memory behind it.
        const copy = new Uint8Array(chunk);
        this.#onTheWay += copy.length;
        this.#send({ kind: "bytes", bytes: copy }, [copy.buffer]);
        while (this.#onTheWay > MOST_ON_THE_WAY && !this.#hasFailed) await this.#room();
      }
      this.#send({ kind: "end" });
    } catch (error) {
      this.#send({ kind: "abort" });
      await this.#end.promise.catch(() => {}); // it was told to fail
      throw error;
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #send(message: ToUnpacker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  readonly #receive = (message: FromUnpacker): void => {
    if (message.kind === "taken") {
      this.#onTheWay -= message.bytes;
      this.#wake();
    } else if (message.kind === "unpacked") {
      this.#end.resolve(message.layer);
    } else {
      this.#fail(decodeError(message.error));
    }
  };

  readonly #fail = (error: unknown): void => {
    this.#hasFailed = true;
    this.#end.reject(error);
    this.#wake();
  };

  readonly #lose = (): void => this.#fail(new Error("the thread that unpacks a layer has ended"));
}
