/**
 * The plan's blob: NUL-terminated strings, each stored once, and 8-aligned data. Offset 0 is the
 * empty string, and the last byte is NUL, so that no offset inside can run off the end.
 */
export class Blob {
  #bytes = Buffer.alloc(FIRST_SIZE);
  #size = 8;
  readonly #strings = new Map<string, number>([["", 0]]);

  /** The offset of a string. Throws RangeError for one that contains NUL: the kernel would see it cut. */
  string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} contains a NUL byte`);
    const offset = this.#size;
    // Three bytes of UTF-8 at most for each of its UTF-16 units, and the NUL.
    this.#grow(offset + 3 * text.length + 1);
    const written = this.#bytes.write(text, offset);
    this.#bytes[offset + written] = 0;
    this.#size = offset + written + 1;
    this.#strings.set(text, offset);
    return offset;
  }

  /** The offset of a copy of these bytes, 8-aligned. */
  data(bytes: Uint8Array): number {
    const offset = align8(this.#size);
    this.#grow(offset + bytes.length);
    this.#bytes.set(bytes, offset);
    this.#size = offset + bytes.length;
    return offset;
  }

  /** The whole blob, padded to 8 bytes and ending in NUL. */
  finish(): Uint8Array {
    const size = align8(this.#size + 1);
    this.#grow(size);
    return this.#bytes.subarray(0, size);
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** What an ordinary container's plan needs: its seccomp filter alone is 13 KB. */
const FIRST_SIZE = 32 * 1024;

function align8(size: number): number {
  return (size + 7) & ~7;
}
