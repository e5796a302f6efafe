/**
 * A backup's outer form: a tar archive, compressed with zstd, whose members are pieces of streams
 * (`trees/0/000000`, `trees/0/000001` …) in the order in which they are needed. A tar member has to say
 * how long it is before it begins; a piece is small enough to be known whole. The last stream but one is
 * the manifest, which has the digest of every member before it; the last is the manifest's own digest.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { extract, pack } from "tar-stream";
import { TsrunError } from "../../base/errors.ts";
import { checkArchive, decompress } from "../../images/index.ts";

export const HEADER = "tsrun-backup";
export const MANIFEST = "manifest";
const SEAL = "manifest.sha256";
/** A piece; the last of a stream is shorter. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Of manifest, inventory and the like, which are held in memory whole. */
const MAX_TEXT_BYTES = 1024 * 1024 * 1024;

export type Digests = Readonly<Record<string, string>>;

export class ArchiveWriter {
  readonly #pack = pack();
  readonly #digests: Record<string, string> = {};
  readonly #written: Promise<void>;
  #failed: unknown;

  /** Ends `output`, when it is finished itself. */
  constructor(output: Writable) {
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    const archive = Readable.from(this.#pack, { objectMode: false });
    this.#written = pipeline(archive, createZstdCompress({ params }), output);
    this.#written.catch((error: unknown) => {
      this.#failed = error; // told by whoever writes next, or by finish()
    });
  }

  async addText(stream: string, text: string): Promise<void> {
    await this.addStream(stream, [Buffer.from(text)]);
  }

  async addStream(
    stream: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    let number = 0;
    for await (const piece of inPieces(chunks)) {
      await this.#member(`${stream}/${String(number).padStart(6, "0")}`, piece);
      number += 1;
    }
  }

  /** `manifest` is told the digest of every member. */
  async finish(manifest: (digests: Digests) => string): Promise<void> {
    const text = manifest({ ...this.#digests });
    await this.addText(MANIFEST, text);
    await this.addText(SEAL, sha256(Buffer.from(text)));
    this.#pack.finalize();
    await this.#written;
  }

  /** Gives up: nothing more is written to the output. */
  async abandon(): Promise<void> {
    this.#pack.destroy();
    await this.#written.catch(() => undefined); // it was given up
  }

  async #member(name: string, bytes: Buffer): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    this.#digests[name] = sha256(bytes);
    const entry = this.#pack.entry({ name, size: bytes.length, mode: 0o600, mtime: new Date(0) });
    const sink = entry as unknown as Writable;
    const drained = sink.write(bytes) ? undefined : once(sink, "drain");
    sink.end();
    if (drained) await Promise.race([drained, this.#written]);
    if (this.#failed !== undefined) throw this.#failed;
  }
}

async function* inPieces(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Buffer, void> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    size += chunk.length;
    if (size < PIECE_BYTES) continue;
    const whole = Buffer.concat(waiting);
    const end = size - (size % PIECE_BYTES);
    for (let at = 0; at < end; at += PIECE_BYTES) yield whole.subarray(at, at + PIECE_BYTES);
    waiting = [whole.subarray(end)];
    size -= end;
  }
  if (size > 0) yield Buffer.concat(waiting);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

interface Piece {
  readonly stream: string;
  readonly number: number;
  readonly bytes: Buffer;
}

/** Reads streams in their order. Throws IMAGE_INVALID for what is no backup, or a damaged one. */
export class ArchiveReader {
  readonly #digests: Record<string, string> = {};
  readonly #pieces: AsyncIterator<Piece, undefined>;
  readonly #name: string;
  #next: Piece | undefined;

  private constructor(pieces: AsyncIterator<Piece, undefined>, name: string) {
    this.#pieces = pieces;
    this.#name = name;
  }

  static async open(bytes: AsyncIterable<Uint8Array>, name: string): Promise<ArchiveReader> {
    try {
      const { tar } = await decompress(checkArchive(bytes, name));
      const reader = new ArchiveReader(readPieces(tar, name), name);
      await reader.#advance();
      if (reader.#next?.stream !== HEADER) throw damaged(name, "is no backup of tsrun's");
      return reader;
    } catch (error) {
      throw explained(error, name);
    }
  }

  /** The stream that comes next; undefined at the end. */
  get stream(): string | undefined {
    return this.#next?.stream;
  }

  /** The stream that comes next, to its end. */
  async *read(): AsyncGenerator<Buffer, void> {
    const stream = this.#next?.stream;
    for (let number = 0; this.#next && this.#next.stream === stream; number += 1) {
      const { bytes, number: found } = this.#next;
      if (found !== number) throw damaged(this.#name, `has no piece ${number} of ${stream}`);
      await this.#advance();
      yield bytes;
    }
  }

  async readText(stream: string): Promise<string> {
    if (this.#next?.stream !== stream)
      throw damaged(this.#name, `has no ${stream} where it belongs`);
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of this.read()) {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_TEXT_BYTES) throw damaged(this.#name, `has too long a ${stream}`);
    }
    return Buffer.concat(pieces).toString();
  }

  /**
   * The manifest, when every stream before it has been read: `digestsOf` finds in it what the members'
   * digests have to be. Nothing of the archive may be trusted before this.
   */
  async finish<T>(parse: (text: string) => { manifest: T; digests: Digests }): Promise<T> {
    const found = { ...this.#digests };
    delete found[`${MANIFEST}/000000`]; // the reader is one piece ahead
    const text = await this.readText(MANIFEST);
    const seal = await this.readText(SEAL);
    if (this.#next !== undefined) throw damaged(this.#name, "goes on after its end");
    if (seal !== sha256(Buffer.from(text))) throw damaged(this.#name, "has a changed manifest");
    const { manifest, digests } = parse(text);
    for (const name of new Set([...Object.keys(found), ...Object.keys(digests)])) {
      if (found[name] !== digests[name]) {
        throw damaged(this.#name, `has a member "${name}" that is not what was saved`);
      }
    }
    return manifest;
  }

  async #advance(): Promise<void> {
    let result: IteratorResult<Piece, undefined>;
    try {
      result = await this.#pieces.next();
    } catch (error) {
      throw explained(error, this.#name);
    }
    this.#next = result.done ? undefined : result.value;
    if (this.#next) {
      const { stream, number, bytes } = this.#next;
      this.#digests[`${stream}/${String(number).padStart(6, "0")}`] = sha256(bytes);
    }
  }
}

const MEMBER = /^([a-z0-9][a-z0-9./-]{0,200})\/(\d{6})$/;

async function* readPieces(tar: Readable, name: string): AsyncGenerator<Piece, undefined> {
  const members = extract();
  const reading = pipeline(tar, members as unknown as Writable);
  reading.catch(() => undefined); // whoever reads the members is told
  for await (const member of members) {
    const { name: path, size = 0, type } = member.header;
    const [, stream, number] = MEMBER.exec(path) ?? [];
    if (stream === undefined || type !== "file" || size > PIECE_BYTES) {
      throw damaged(name, `has a member "${path}" that no backup has`);
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of member) chunks.push(chunk as Uint8Array);
    yield { stream, number: Number(number), bytes: Buffer.concat(chunks) };
  }
  await reading;
  return undefined;
}

export function damaged(name: string, what: string, cause?: unknown): TsrunError {
  return new TsrunError("IMAGE_INVALID", `the backup "${name}" ${what}`, {
    hint: "Nothing was restored. Use another copy of it.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What zlib and tar-stream say of damaged bytes has no errno. */
function explained(error: unknown, name: string): unknown {
  if (error instanceof TsrunError) return error;
  const code = (error as { code?: unknown }).code;
  if (code === "ENOENT") {
    return new TsrunError("NOT_FOUND", `there is no backup "${name}"`, { cause: error });
  }
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) return error;
  return damaged(name, `cannot be read: ${error instanceof Error ? error.message : error}`, error);
}
