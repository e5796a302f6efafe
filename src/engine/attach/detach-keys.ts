/**
 * The keys that leave an attached terminal without ending the container, in podman's syntax:
 * single characters and `ctrl-X` (X one of a–z @ ^ [ \ ] _), with commas between, e.g. "ctrl-p,ctrl-q".
 * The empty text means that nothing detaches.
 */
import { TsrunError } from "../../base/errors.ts";

export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

/** The bytes that a terminal in raw mode sends for the keys, in order. */
export type DetachKeys = readonly number[];

/** Throws INVALID_ARGUMENT for a key that is neither one ASCII character nor `ctrl-` and one. */
export function parseDetachKeys(text: string): DetachKeys {
  return text === "" ? [] : text.split(",").map((key) => parseKey(key, text));
}

function parseKey(key: string, text: string): number {
  const [, control] = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key) ?? [];
  // A terminal sends the letter's code without its upper bits: ctrl-a is 1, ctrl-@ is 0.
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
  if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
  throw new TsrunError("INVALID_ARGUMENT", `"${key}" in the detach keys "${text}" is no key`, {
    hint: 'Write characters or "ctrl-" and a letter, with commas between: "ctrl-p,ctrl-q".',
  });
}

export interface ScannedInput {
  /** What the container gets. */
  readonly data: Buffer;
  /** The whole sequence was typed: what follows it is not for the container. */
  readonly detached: boolean;
}

/**
 * Watches what is typed for the detach keys, however it is cut into pieces. A beginning of the sequence
 * is held back until it is clear that it is none; podman does the same.
 */
export class DetachScanner {
  readonly #keys: DetachKeys;
  #matched = 0;

  constructor(keys: DetachKeys) {
    this.#keys = keys;
  }

  push(chunk: Uint8Array): ScannedInput {
    const [first] = this.#keys;
    if (first === undefined || (this.#matched === 0 && !chunk.includes(first))) {
      return { data: Buffer.from(chunk), detached: false };
    }
    const passed: number[] = [];
    for (const byte of chunk) {
      this.#step(byte, passed);
      if (this.#matched === this.#keys.length) {
        this.#matched = 0;
        return { data: Buffer.from(passed), detached: true };
      }
    }
    return { data: Buffer.from(passed), detached: false };
  }

  /** The input ends: what was held back is input after all. */
  flush(): Buffer {
    const held = Buffer.from(this.#keys.slice(0, this.#matched));
    this.#matched = 0;
    return held;
  }

  /** Knuth–Morris–Pratt: after a mismatch the longest end of what was typed that begins the sequence is kept. */
  #step(byte: number, passed: number[]): void {
    const typed = [...this.#keys.slice(0, this.#matched), byte];
    let kept = Math.min(typed.length, this.#keys.length);
    while (kept > 0 && !this.#beginsWith(typed.slice(typed.length - kept))) kept--;
    passed.push(...typed.slice(0, typed.length - kept));
    this.#matched = kept;
  }

  #beginsWith(bytes: readonly number[]): boolean {
    return bytes.every((byte, index) => byte === this.#keys[index]);
  }
}
