/**
 * Threads that unpack layers, several at once. The bytes stay with the caller, who stores them and takes
 * their digest; a thread reads them from the file that they were just written to, and is told how long
 * that is. So nobody waits for it, and none of them is in memory twice.
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

/** A thread is told of so many more, after the first: each time costs two threads a turn. */
const STEP_BYTES = 128 * 1024;

/** Of what a thread makes, nearly nothing lives for longer than its chunk. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

export interface UnpackJob extends UnpackArchiveOptions {
  readonly directory: string;
  /** Where the archive lies, or is just coming to. */
  readonly file: string;
}

/**
 * Threads, started as they are needed, but no more than can run at once: each one's code is slow until V8
 * has learned which of it is hot. Disposing ends them.
 */
export class UnpackPool implements AsyncDisposable {
  readonly #turns = new Turns(Math.max(2, availableParallelism()));
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  /** Starts one of them, which takes it 50 ms, for a layer that is going to come. */
  prepare(): void {
    if (this.#all.size === 0) this.#idle.push(this.#start());
  }

  /** No more layers: they may end while something else is done. Disposing waits for that. */
  end(): void {
    for (const worker of this.#all) void worker.terminate();
  }

  /**
   * Unpacks a plain or compressed archive into the directory. `bytes` are the file's, and in it when they
   * come. Throws as unpackTar does, and what `bytes` throws; nothing is written into the directory any
   * more when it has ended.
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

  constructor(worker: Worker, job: UnpackJob) {
    this.#worker = worker;
    this.#job = job;
    this.#end.promise.catch(() => {}); // run() tells it
  }

  async run(bytes: AsyncIterable<Uint8Array>): Promise<UnpackedLayer> {
    const { signal, file, directory, diffId, limits } = this.#job;
    const abort = () => this.#send({ kind: "abort" });
    this.#worker.on("message", this.#receive);
    this.#worker.on("error", this.#fail);
    this.#worker.on("exit", this.#lose);
    signal?.addEventListener("abort", abort);
    try {
      this.#send({ kind: "unpack", file, directory, diffId, ...(limits ? { limits } : {}) });
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
    let length = 0;
    let told = 0;
    try {
      for await (const chunk of bytes) {
        if (this.#hasFailed || this.#job.signal?.aborted) return;
        length += chunk.length;
        if (told > 0 && length - told < STEP_BYTES) continue;
        told = length;
        this.#send({ kind: "bytes", length });
      }
      this.#send({ kind: "bytes", length });
      this.#send({ kind: "end" });
    } catch (error) {
      this.#send({ kind: "abort" });
      await this.#end.promise.catch(() => {}); // it was told to fail
      throw error;
    }
  }

  #send(message: ToUnpacker): void {
    this.#worker.postMessage(message);
  }

  readonly #receive = (message: FromUnpacker): void => {
    if (message.kind === "unpacked") this.#end.resolve(message.layer);
    else this.#fail(decodeError(message.error));
  };

  readonly #fail = (error: unknown): void => {
    this.#hasFailed = true;
    this.#end.reject(error);
  };

  readonly #lose = (): void => this.#fail(new Error("the thread that unpacks a layer has ended"));
}
