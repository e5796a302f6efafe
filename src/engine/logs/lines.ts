/** The whole lines of a file, forwards from a position and backwards from the end. */
import type { FileHandle } from "node:fs/promises";

const BLOCK_SIZE = 65536;
const NEWLINE = 0x0a;

export interface LinesRead {
  /** Without their newlines; they share memory. */
  readonly lines: Buffer[];
  /** Where the next line begins. */
  readonly next: number;
}

/**
 * The lines from `position` on, about a block of them; none at the end of what is written whole. The
 * beginning of a line is left for the next time: it may yet be cut off again when the disk is full.
 */
export async function readLinesAt(handle: FileHandle, position: number): Promise<LinesRead> {
  for (let size = BLOCK_SIZE; ; size *= 2) {
    const block = await readFully(handle, position, size);
    const last = block.lastIndexOf(NEWLINE);
    if (last >= 0)
      return { lines: splitLines(block.subarray(0, last + 1)), next: position + last + 1 };
    if (block.length < size) return { lines: [], next: position };
  }
}

async function readFully(handle: FileHandle, position: number, size: number): Promise<Buffer> {
  // Not from Buffer's pool: records keep pieces of it.
  const block = Buffer.allocUnsafeSlow(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(block, length, size - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return block.subarray(0, length);
}

function splitLines(block: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
    lines.push(block.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

export interface PlacedLine {
  readonly line: Buffer;
  /** Where in the file it begins. */
  readonly position: number;
}

/** The lines of the first `size` bytes, last first; what follows the last newline is none. */
export async function* readLinesBackwards(
  handle: FileHandle,
  size: number,
): AsyncGenerator<PlacedLine> {
  let start = size;
  // Bytes from `start` on: up to the first newline the end of a line, behind it whole lines.
  let held: Buffer = Buffer.alloc(0);
  while (start > 0) {
    const length = Math.min(BLOCK_SIZE, start);
    start -= length;
    held = Buffer.concat([await readFully(handle, start, length), held]);
    const whole = start === 0 ? 0 : held.indexOf(NEWLINE) + 1;
    if (start > 0 && whole === 0) continue;
    yield* placedBackwards(held.subarray(whole), start + whole);
    held = held.subarray(0, whole);
  }
}

function placedBackwards(block: Buffer, position: number): PlacedLine[] {
  const placed: PlacedLine[] = [];
  let at = position;
  for (const line of splitLines(block)) {
    placed.push({ line, position: at });
    at += line.length + 1;
  }
  return placed.reverse();
}
