/**
 * ADD's archives: a tar archive, plain or compressed, is unpacked, and anything else is a file.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { TsrunError } from "../base/errors.ts";
import { openInRoot } from "../ffi/index.ts";
import { decompress } from "../images/index.ts";

const BLOCK_BYTES = 512;
const CHECKSUM_OFFSET = 148;
const CHECKSUM_BYTES = 8;

/** What Node cannot decompress is left to the usual programs. */
const PROGRAMS: readonly { readonly magic: Buffer; readonly program: string }[] = [
  { magic: Buffer.from("fd377a585a00", "hex"), program: "xz" },
  { magic: Buffer.from("BZh"), program: "bzip2" },
];

/** The tar stream of the file if it is an archive; undefined for any other file. Takes the descriptor. */
export async function openArchive(
  root: number,
  path: Uint8Array,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const file = createReadStream("", { fd: openInRoot(root, path, { flags: 0 }) });
  try {
    const first = await peek(file);
    const program = PROGRAMS.find(({ magic }) =>
      first.head.subarray(0, magic.length).equals(magic),
    );
    const plain = program
      ? runProgram(program.program, first.bytes)
      : (await decompress(first.bytes)).tar;
    const opened = await peek(plain);
    if (isTarHeader(opened.head)) return opened.bytes;
  } catch (error) {
    // It begins like a compressed file and is none: then it is copied as it is.
    if (error instanceof TsrunError || !isDamage(error)) throw error;
  }
  file.destroy();
  return undefined;
}

function isDamage(error: unknown): boolean {
  return /zlib|incorrect|invalid|unexpected|zstd|Unknown frame/i.test(String(error));
}

/** The first block, and all of the stream. */
async function peek(
  stream: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: Buffer; readonly bytes: AsyncIterable<Uint8Array> }> {
  const chunks: Uint8Array[] = [];
  const iterator = stream[Symbol.asyncIterator]();
  let size = 0;
  while (size < BLOCK_BYTES) {
    const { done, value } = await iterator.next();
    if (done) break;
    chunks.push(value);
    size += value.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(chunks).subarray(0, BLOCK_BYTES), bytes: all() };
}

/** By its checksum, as old archives have no magic. tar(5). */
function isTarHeader(head: Buffer): boolean {
  if (head.length < BLOCK_BYTES) return false;
  const end = CHECKSUM_OFFSET + CHECKSUM_BYTES;
  const text = head.toString("latin1", CHECKSUM_OFFSET, end);
  const expected = Number.parseInt(text.replace(/[\0 ]+$/, "").trim(), 8);
  const sum = head.reduce((all, byte, at) => {
    return all + (at >= CHECKSUM_OFFSET && at < end ? 0x20 : byte);
  }, 0);
  return sum === expected;
}

async function* runProgram(
  program: string,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, ["-dc"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(child, "close").catch((cause: unknown) => {
    throw new TsrunError("UNSUPPORTED", `the archive needs "${program}", which is not here`, {
      hint: `Install ${program}, or pack the archive with gzip or zstd.`,
      cause,
    });
  });
  ended.catch(() => {}); // awaited below
  Readable.from(input)
    .pipe(child.stdin)
    .on("error", () => {}); // its end tells
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>;
    const [status] = (await ended) as [number | null];
    if (status === 0) return;
    throw new TsrunError("IMAGE_INVALID", `"${program}" cannot unpack the archive`);
  } finally {
    child.kill();
  }
}
