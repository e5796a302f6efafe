/**
 * Where zstd's frames end. Node's decompressor takes whatever follows a frame for garbage if it sees both
 * at once, but layers often have many frames: zstd:chunked has one for each file, and pzstd one for each
 * core. So the bytes are cut at the frames' ends, and skippable frames are left out. RFC 8878, 3.1.
 */
import { Transform, type TransformCallback } from "node:stream";

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;

/** What is read next: so many bytes, of which the function tells what comes after them. */
interface Part {
  readonly length: number;
  /** Given only the bytes of a header; contents pass by. */
  readonly read?: (bytes: Buffer) => Part;
  readonly next?: Part;
  readonly skipped?: boolean;
  /** The frame ends with it. */
  readonly last?: boolean;
}

const START: Part = { length: 4, read: readMagic };

function readMagic(bytes: Buffer): Part {
  const magic = bytes.readUInt32LE(0);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    return { length: 4, skipped: true, read: (size) => skipped(size.readUInt32LE(0)) };
  }
  if (magic !== FRAME_MAGIC) throw new Error("invalid zstd frame");
  return { length: 1, read: readDescriptor };
}

function skipped(length: number): Part {
  return { length, skipped: true, last: true };
}

const DICTIONARY_BYTES = [0, 1, 2, 4] as const;

function readDescriptor(bytes: Buffer): Part {
  const descriptor = bytes.readUInt8(0);
  const singleSegment = (descriptor >> 5) & 1;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? singleSegment : 2 ** sizeFlag;
  const checksum = ((descriptor >> 2) & 1) === 1;
  const length =
    (singleSegment === 1 ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] ?? 0) + sizeBytes;
  const block: Part = { length: 3, read: (header) => readBlock(header, checksum) };
  return { length, next: block };
}

const RLE_BLOCK = 1;

function readBlock(bytes: Buffer, checksum: boolean): Part {
  const header = bytes.readUIntLE(0, 3);
  const isLast = (header & 1) === 1;
  const length = ((header >> 1) & 3) === RLE_BLOCK ? 1 : header >> 3;
  if (!isLast) {
    return { length, next: { length: 3, read: (next) => readBlock(next, checksum) } };
  }
  return checksum ? { length, next: { length: 4, last: true } } : { length, last: true };
}

/** Passes zstd on so that no chunk reaches from one frame into the next. */
export function splitZstdFrames(): Transform {
  const splitter = new FrameSplitter();
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      try {
        for (const piece of splitter.split(chunk)) this.push(piece);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      done(splitter.isBetweenFrames ? null : new Error("unexpected end of zstd data"));
    },
  });
}

class FrameSplitter {
  #part: Part = START;
  #left = START.length;
  #header: Buffer[] = [];
  /** The magic's bytes: they are passed on when it is no skippable frame's. */
  #magic: Buffer[] = [];

  get isBetweenFrames(): boolean {
    return this.#part === START && this.#left === START.length;
  }

  /** The chunk's pieces: each ends at most where a frame does. */
  *split(chunk: Buffer): Generator<Buffer, void, undefined> {
    let from = 0;
    for (let at = 0; at < chunk.length || this.#left === 0; ) {
      const bytes = chunk.subarray(at, at + Math.min(this.#left, chunk.length - at));
      at += bytes.length;
      this.#left -= bytes.length;
      if (this.#take(bytes)) from = at;
      if (this.#left > 0) break;
      if (this.#part.last === true) {
        if (from < at) yield chunk.subarray(from, at);
        from = at;
      }
      yield* this.#advance();
    }
    if (from < chunk.length) yield chunk.subarray(from);
  }

  /** Whether the bytes are held back: skippable frames are, and magics, which may be one's. */
  #take(bytes: Buffer): boolean {
    const isMagic = this.#part === START;
    if (isMagic) this.#magic.push(bytes);
    if (this.#part.read) this.#header.push(bytes);
    return isMagic || (this.#part.skipped ?? false);
  }

  *#advance(): Generator<Buffer, void, undefined> {
    const { read, next, last } = this.#part;
    const following = last ? START : read ? read(Buffer.concat(this.#header)) : (next ?? START);
    this.#header = [];
    if (this.#part === START && !following.skipped) yield Buffer.concat(this.#magic);
    if (this.#part === START) this.#magic = [];
    this.#part = following;
    this.#left = following.length;
  }
}
