/**
 * The header of a sparse member from before PAX (type "S"): GNU tar manual, "Old GNU Format"; struct
 * oldgnu_header and struct sparse_header of its tar.h.
 */

export const TYPE_AT = 156;
export const OLD_SPARSE = 0x53;

const REGULAR = 0x30;
const CHECKSUM_AT = 148;
const CHECKSUM_BYTES = 8;
const REGIONS_AT = 386;
const REGIONS_IN_HEADER = 4;
const REGIONS_IN_BLOCK = 21;
const REGION_BYTES = 24;
const NUMBER_BYTES = 12;
const EXTENDED_IN_HEADER_AT = 482;
const REAL_SIZE_AT = 483;
const EXTENDED_IN_BLOCK_AT = 504;
/** More would be a list to fill the memory with. */
const MAX_REGIONS = 1 << 20;

export class OldSparse {
  readonly #header: Buffer;
  readonly #numbers: number[] = [];
  isWhole: boolean;

  constructor(header: Uint8Array) {
    this.#header = Buffer.from(header);
    this.#add(this.#header, REGIONS_AT, REGIONS_IN_HEADER);
    this.isWhole = this.#header[EXTENDED_IN_HEADER_AT] === 0;
  }

  /** A block that follows the header. */
  extend(block: Uint8Array): void {
    const bytes = Buffer.from(block);
    this.#add(bytes, 0, REGIONS_IN_BLOCK);
    this.isWhole = bytes[EXTENDED_IN_BLOCK_AT] === 0;
    if (this.#numbers.length > 2 * MAX_REGIONS) throw new Error("Invalid tar header: too sparse");
  }

  /** As PAX 0.1 says it. */
  records(): Record<string, string> {
    return {
      "GNU.sparse.size": String(readNumber(this.#header, REAL_SIZE_AT)),
      "GNU.sparse.map": this.#numbers.join(","),
    };
  }

  /** The header of a file that is not sparse, with the same contents. */
  plainHeader(): Buffer {
    const header = Buffer.from(this.#header);
    header[TYPE_AT] = REGULAR;
    header.fill(0x20, CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_BYTES);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM_AT, "latin1");
    return header;
  }

  /** The list ends with its first empty place. */
  #add(bytes: Buffer, start: number, count: number): void {
    for (let at = start; at < start + count * REGION_BYTES; at += REGION_BYTES) {
      if (bytes[at] === 0) return;
      this.#numbers.push(readNumber(bytes, at), readNumber(bytes, at + NUMBER_BYTES));
    }
  }
}

/** Octal digits, or a binary number whose first bit is set. */
function readNumber(bytes: Buffer, at: number): number {
  const field = bytes.subarray(at, at + NUMBER_BYTES);
  if ((field[0] ?? 0) < 0x80) return Number.parseInt(field.toString("latin1"), 8);
  return field.subarray(1).reduce((total, byte) => total * 256 + byte, 0);
}
