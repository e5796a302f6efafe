/**
 * The plan's blob: NUL-terminated strings, each stored once, and 8-aligned data. Offset 0 is the
 * empty string, and the last byte is NUL, so that no offset inside can run off the end.
 */
export class Blob {
  #bytes = new Uint8Array(4096);
  #size = 8;
  readonly #strings = new Map<string, number>([["", 0]]);

  /** The offset of a string. Throws RangeError for one that contains NUL: the kernel would see it cut. */
  string(text: string): number {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} contains a NUL byte`);
    const encoded = new TextEncoder().encode(text);
    const offset = this.#append(encoded, 1);
    this.#strings.set(text, offset);
    return offset;
  }

  /** The offset of a copy of these bytes, 8-aligned. */
  data(bytes: Uint8Array): number {
    this.#size = align8(this.#size);
    return this.#append(bytes, 0);
  }

  /** The whole blob, padded to 8 bytes and ending in NUL. */
  finish(): Uint8Array {
    const size = align8(this.#size + 1);
    this.#grow(size);
    return this.#bytes.slice(0, size);
  }

  #append(bytes: Uint8Array, padding: number): number {
    const offset = this.#size;
    this.#grow(offset + bytes.length + padding);
    this.#bytes.set(bytes, offset);
    this.#size = offset + bytes.length + padding;
    return offset;
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(size, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

function align8(size: number): number {
  return (size + 7) & ~7;
}
