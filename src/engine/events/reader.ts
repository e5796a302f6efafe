import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { hasErrno } from "../../base/errors.ts";
import { storeError } from "../store/store-error.ts";
import { type EngineEvent, parseEvent } from "./event.ts";
import { rotatedJournal } from "./record.ts";

/** Reads the journal's events, and each time it is asked again, what came since; across rotations. */
export class JournalReader implements Disposable {
  readonly #path: string;
  #fd: number | undefined;
  #rest = "";
  readonly #decoder = new TextDecoder();

  /** `from` "now" leaves out what is there already. */
  constructor(path: string, from: "start" | "now") {
    this.#path = path;
    this.#fd =
      (from === "start" ? openIfThere(rotatedJournal(path)) : undefined) ?? openIfThere(path);
    if (from === "now" && this.#fd !== undefined) skip(this.#fd);
  }

  *read(): Generator<EngineEvent> {
    for (;;) {
      if (this.#fd !== undefined) yield* this.#drain(this.#fd);
      const next = this.#openNext();
      if (next === undefined) return;
      if (this.#fd !== undefined) {
        yield* this.#drain(this.#fd); // what was appended just before it was renamed
        closeSync(this.#fd);
      }
      this.#fd = next;
    }
  }

  /** The file that has the journal's name by now, if that is not the open one. */
  #openNext(): number | undefined {
    const there = statSync(this.#path, { throwIfNoEntry: false });
    if (!there) return undefined;
    if (this.#fd !== undefined && fstatSync(this.#fd).ino === there.ino) return undefined;
    return openIfThere(this.#path);
  }

  *#drain(fd: number): Generator<EngineEvent> {
    const buffer = new Uint8Array(64 * 1024);
    for (let size = readSync(fd, buffer); size > 0; size = readSync(fd, buffer)) {
      const text = this.#rest + this.#decoder.decode(buffer.subarray(0, size), { stream: true });
      const lines = text.split("\n");
      this.#rest = lines.pop() ?? "";
      yield* lines.map(parseEvent).filter((event) => event !== undefined);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function skip(fd: number): void {
  const buffer = new Uint8Array(64 * 1024);
  while (readSync(fd, buffer) > 0);
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw storeError("read", path, error);
  }
}
