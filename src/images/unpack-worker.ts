/**
 * A thread that unpacks layers, one after the other, as their bytes are sent to it: the module that
 * unpack-pool.ts starts its threads with. What it is not to do is anything that a killed pull would have
 * to repair: that stays with who sent the bytes.
 */
import { parentPort } from "node:worker_threads";
import { unpackArchive } from "./unpack-archive.ts";
import { encodeError, type FromUnpacker, type ToUnpacker } from "./unpack-messages.ts";

type Begin = Extract<ToUnpacker, { readonly kind: "unpack" }>;

/** The layer that is being unpacked. */
class Unpacking {
  readonly #stop = new AbortController();
  readonly #waiting: Uint8Array[] = [];
  #isAll: boolean = false;
  #wake: () => void = () => {};

  add(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
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

  async run({ directory, diffId, limits }: Begin): Promise<FromUnpacker> {
    try {
      const layer = await unpackArchive(this.#bytes(), directory, {
        diffId,
        ...(limits ? { limits } : {}),
        signal: this.#stop.signal,
      });
      return { kind: "unpacked", layer };
    } catch (error) {
      return { kind: "failed", error: encodeError(error) };
    }
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const bytes = this.#waiting.shift();
      if (bytes) {
        yield bytes;
        send({ kind: "taken", bytes: bytes.length });
      } else if (this.#isAll) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

let current: Unpacking | undefined;

function receive(message: ToUnpacker): void {
  if (message.kind === "unpack") {
    current = new Unpacking();
    void current.run(message).then(send);
  } else if (message.kind === "bytes") current?.add(message.bytes);
  else if (message.kind === "end") current?.end();
  else current?.abort();
}

function send(message: FromUnpacker): void {
  parentPort?.postMessage(message);
}

parentPort?.on("message", receive);
