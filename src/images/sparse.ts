/**
 * GNU tar's sparse members: what is stored of a file, and where in it that belongs. Their forms are PAX
 * 0.0, 0.1 and 1.0, and the one before PAX (type "S"), which tar-bytes.ts hands on as 0.1.
 * GNU tar manual, "Storing Sparse Files".
 */
import { invalid } from "./invalid-member.ts";

/** Stored bytes, in the order of the archive. */
export interface Region {
  readonly offset: number;
  readonly length: number;
}

export interface Sparse {
  /** Bytes of the file with its holes. */
  readonly size: number;
  /** undefined where the regions are listed before the contents (PAX 1.0). */
  readonly regions: readonly Region[] | undefined;
}

type Pax = Readonly<Partial<Record<string, string>>>;

/** More would be a list to fill the memory with. */
const MAX_REGIONS = 1 << 20;

/** undefined for a member that is not sparse. Throws IMAGE_INVALID for a list that cannot be meant. */
export function parseSparse(name: string, pax: Pax): Sparse | undefined {
  const map = pax["GNU.sparse.map"];
  const major = pax["GNU.sparse.major"];
  if (map === undefined && major === undefined) return undefined;
  if (major !== undefined && (major !== "1" || pax["GNU.sparse.minor"] !== "0")) {
    throw invalid(name, `is sparse in an unknown way (${major}.${pax["GNU.sparse.minor"]})`);
  }
  const size = parseNumber(name, pax["GNU.sparse.realsize"] ?? pax["GNU.sparse.size"] ?? "");
  if (map === undefined) return { size, regions: undefined };
  const numbers = map === "" ? [] : map.split(",").map((text) => parseNumber(name, text));
  return { size, regions: pairRegions(name, numbers, size) };
}

function parseNumber(name: string, text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw invalid(name, "is sparse, and lists no numbers");
}

/** In ascending order, apart from each other, and in the file. */
function pairRegions(name: string, numbers: readonly number[], size: number): readonly Region[] {
  const regions: Region[] = [];
  let end = 0;
  for (let at = 0; at < numbers.length; at += 2) {
    const [offset = 0, length = Number.NaN] = numbers.slice(at, at + 2);
    if (offset < end || !(offset + length <= size)) {
      throw invalid(name, "is sparse, with parts that lie outside of it");
    }
    regions.push({ offset, length });
    end = offset + length;
  }
  return regions;
}

/** Is given the stored contents chunk by chunk, and undefined at their end. */
export type Taking<T> = Generator<undefined, T, Uint8Array | undefined>;

/** Calls `place` for each piece. Throws IMAGE_INVALID for contents that are shorter or longer than the list says. */
export function* placeContents(
  name: string,
  { size, regions }: Sparse,
  place: (chunk: Uint8Array, offset: number) => void,
): Taking<void> {
  const reader = new ChunkReader();
  for (const { offset, length } of regions ?? (yield* readRegions(name, reader, size))) {
    for (let at = 0; at < length; ) {
      const chunk = yield* reader.next(length - at);
      if (!chunk) throw invalid(name, "is sparse, and shorter than it says");
      place(chunk, offset + at);
      at += chunk.length;
    }
  }
  if (yield* reader.next(1)) throw invalid(name, "is sparse, and longer than it says");
}

const BLOCK_BYTES = 512;
const LINE_END = 0x0a;

/** PAX 1.0: the count and then the numbers, a line each, filled up to whole blocks. */
function* readRegions(name: string, reader: ChunkReader, size: number): Taking<readonly Region[]> {
  const count = yield* readLine(name, reader);
  if (count > MAX_REGIONS) throw invalid(name, "is sparse, with too many parts");
  const numbers: number[] = [];
  for (let at = 0; at < 2 * count; at += 1) numbers.push(yield* readLine(name, reader));
  for (let rest = -reader.taken & (BLOCK_BYTES - 1); rest > 0; ) {
    const chunk = yield* reader.next(rest);
    if (!chunk) throw invalid(name, "is sparse, and shorter than it says");
    rest -= chunk.length;
  }
  return pairRegions(name, numbers, size);
}

const MAX_DIGITS = 20;

function* readLine(name: string, reader: ChunkReader): Taking<number> {
  let text = "";
  while (text.length <= MAX_DIGITS) {
    const byte = (yield* reader.next(1))?.[0];
    if (byte === undefined || byte === LINE_END) break;
    text += String.fromCharCode(byte);
  }
  return parseNumber(name, text);
}

/** Chunks in pieces of at most the size that is asked for. */
class ChunkReader {
  taken: number = 0;
  #rest: Uint8Array = new Uint8Array(0);

  /** undefined at the end. */
  *next(atMost: number): Taking<Uint8Array | undefined> {
    while (this.#rest.length === 0) {
      const chunk = yield;
      if (!chunk) return undefined;
      this.#rest = chunk;
    }
    const chunk = this.#rest.subarray(0, atMost);
    this.#rest = this.#rest.subarray(chunk.length);
    this.taken += chunk.length;
    return chunk;
  }
}
