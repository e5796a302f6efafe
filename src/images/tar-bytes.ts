/**
 * tar-stream with names and attributes as bytes. Text in an archive is whatever bytes its maker had,
 * and the value of an extended attribute (a file capability, an ACL) is binary: here each character
 * stands for one byte (latin1), and `toBytes` gives them back exactly.
 *
 * tar-stream takes an encoding for the names in headers, but reads and writes PAX records as UTF-8,
 * which destroys what is not. It has no option for that, so two of its methods are replaced on each
 * stream; its version is pinned, and a test packs and extracts binary attributes.
 */

import tar, { type Pack } from "tar-stream";
import { OLD_SPARSE, OldSparse, TYPE_AT } from "./old-sparse.ts";

type PaxRecords = Record<string, string>;

/** A member's header as tar-stream gives and takes it; its own type leaves out what may be missing. */
export interface TarHeader {
  readonly name: string;
  readonly type?: string | null | undefined;
  readonly linkname?: string | null;
  readonly size?: number;
  readonly mode?: number;
  readonly mtime?: Date;
  readonly uid?: number;
  readonly gid?: number;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly pax?: PaxRecords | null;
}

/** What the replaced methods use of tar-stream's streams (extract.js, pack.js of 3.2.2). */
interface ExtractInternals {
  on: (event: "entry", listener: (header: TarHeader) => void) => void;
  _update: () => void;
  /** Told when a chunk is done with, or why it cannot be. */
  _callback: (error?: Error | null) => void;
  _createStream: () => {
    /** null at the end. */
    push: (chunk: Uint8Array | null) => boolean;
    _detach: () => void;
  };
  /** The contents that are just coming. */
  _stream: unknown;
  /** Bytes until the next header, or of what is before it. */
  _missing: number;
  _locked: boolean;
  _buffer: { push: (chunk: Uint8Array) => void; shift: (size: number) => Uint8Array };
  _consumeHeader: () => boolean;
  _continueWrite: (error: Error) => void;
  _final: (done: (error?: Error | null) => void) => void;
  _header: { readonly type: string };
  _pax: PaxRecords | null;
  _paxGlobal: PaxRecords | null;
  _decodeLongHeader: (bytes: Uint8Array) => void;
}
interface PackInternals {
  readonly _readableState: { readonly buffered: number; readonly highWaterMark: number };
  /** Called when its reader wants more. */
  _drain: () => void;
  push: (bytes: Uint8Array) => boolean;
  _encode: (header: TarHeader) => void;
  _encodePax: (header: TarHeader) => void;
}

/** Takes a member's contents. */
interface MemberContents {
  write(chunk: Uint8Array): void;
  /** After the last chunk. */
  end(): void;
}

/**
 * An archive in chunks, as its members; headers have one character a byte. tar-stream's own parser, without
 * its streams: these made a stream and half a dozen promises for each member, which took as long as all the
 * system calls for it. Here all that is in a chunk is done when write() returns.
 */
export class TarParser {
  readonly #extract: ExtractInternals;

  /** `begin` is told of each member; what it throws, write() throws. */
  constructor(begin: (header: TarHeader) => MemberContents | undefined) {
    const extract = extractBytes();
    this.#extract = extract;
    let contents: MemberContents | undefined;
    let size = 0;
    extract._createStream = () => ({
      push: (chunk) => {
        if (chunk) contents?.write(chunk);
        else contents?.end();
        return true;
      },
      _detach: () => {
        extract._stream = null;
        extract._missing = -size & (BLOCK_SIZE - 1);
      },
    });
    extract.on("entry", (header) => {
      // Nobody is waited for: the next header may be read as soon as these contents have ended.
      extract._locked = false;
      size = header.size ?? 0;
      contents = begin(header);
      if (extract._stream === null) contents?.end();
    });
  }

  /** Throws for what is no archive, and what `begin` and the contents throw; it is of no use then. */
  write(chunk: Uint8Array): void {
    const { _buffer: buffer } = this.#extract;
    buffer.push(chunk);
    this.#call((done) => {
      this.#extract._callback = done;
      this.#extract._update();
    });
  }

  /** After the last chunk. Throws where the archive should go on. */
  end(): void {
    this.#call((done) => this.#extract._final(done));
  }

  #call(step: (done: (error?: Error | null) => void) => void): void {
    let failure: Error | null | undefined;
    step((error) => {
      failure = error;
    });
    if (failure) throw failure;
  }
}

/** tar-stream's parser, whose headers have one character a byte. */
function extractBytes(): ExtractInternals {
  const options = { filenameEncoding: "latin1" } as Parameters<typeof tar.extract>[0];
  const internals = tar.extract(options) as unknown as ExtractInternals;
  const decodeOther = internals._decodeLongHeader.bind(internals);
  internals._decodeLongHeader = (bytes) => {
    const { type } = internals._header;
    if (type === "pax-header") internals._pax = { ...internals._paxGlobal, ...decodePax(bytes) };
    else if (type === "pax-global-header") internals._paxGlobal = decodePax(bytes);
    else decodeOther(bytes);
  };
  readOldSparse(internals);
  return internals;
}

/**
 * A member of type "S" says where its parts belong in its header and in blocks after it, of which
 * tar-stream knows nothing. They are taken away, and handed on as the records that PAX has for it.
 */
function readOldSparse(internals: ExtractInternals): void {
  const buffer = internals._buffer;
  const shift = buffer.shift.bind(buffer);
  const consume = internals._consumeHeader.bind(internals);
  const final = internals._final.bind(internals);
  let waiting: OldSparse | undefined;
  let block: Uint8Array | undefined;
  buffer.shift = (size) => {
    if (!block || size !== BLOCK_SIZE) return shift(size);
    const taken = block;
    block = undefined;
    return taken;
  };
  internals._consumeHeader = () => {
    if (internals._locked) return false;
    block = shift(BLOCK_SIZE);
    try {
      if (waiting) waiting.extend(block);
      else if (block[TYPE_AT] === OLD_SPARSE) waiting = new OldSparse(block);
    } catch (error) {
      internals._continueWrite(error as Error);
      return false;
    }
    if (!waiting) return consume();
    if (!waiting.isWhole) return true;
    internals._pax = { ...internals._pax, ...waiting.records() };
    block = waiting.plainHeader();
    waiting = undefined;
    return consume();
  };
  internals._final = (done) => (waiting ? done(new Error("Unexpected end of data")) : final(done));
}

/** A packing stream that takes headers with one character a byte. */
export function packBytes(): Pack {
  const stream = tar.pack();
  const internals = stream as unknown as PackInternals;
  internals._encodePax = (header) => {
    const records = encodePax(header);
    const { name, linkname, pax, ...rest } = header;
    const block = { ...rest, name: "PaxHeader" };
    internals._encode({ ...block, size: records.length, type: "pax-header" });
    internals.push(padded(records));
    // The record before it holds the name: what this header says is not read.
    internals._encode({ ...block, type: header.type });
  };
  return stream;
}

/** Whether its reader is behind: headers are taken without limit, and only contents wait for it. */
export function isFull(pack: Pack): boolean {
  const { buffered, highWaterMark } = (pack as unknown as PackInternals)._readableState;
  return buffered >= highWaterMark;
}

/** Of a full one: until its reader wants more. Rejects if that has given up. */
export async function drained(pack: Pack): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = () => reject(new Error("the archive's reader has given up"));
  (pack as unknown as PackInternals)._drain = resolve;
  pack.once("close", onClose);
  try {
    await promise;
  } finally {
    pack.removeListener("close", onClose);
  }
}

export function toBytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

export function fromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** "LENGTH KEY=VALUE\n" records; pax(1), "pax Extended Header". */
export function decodePax(bytes: Uint8Array): PaxRecords {
  const records: PaxRecords = Object.create(null);
  const buffer = Buffer.from(bytes);
  for (let at = 0; at < buffer.length; ) {
    const space = buffer.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(buffer.toString("latin1", at, space));
    if (!Number.isInteger(length) || length <= space - at + 1 || at + length > buffer.length) break;
    const record = buffer.toString("latin1", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    if (equals > 0) addRecord(records, record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

/** Of two records with one name the later counts; but sparse's 0.0 has a pair of them for each part. */
function addRecord(records: PaxRecords, key: string, value: string): void {
  const isPart = key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes";
  if (!isPart) records[key] = value;
  else if ("GNU.sparse.map" in records) records["GNU.sparse.map"] += `,${value}`;
  else records["GNU.sparse.map"] = value;
}

export function encodePax({ name, linkname, pax }: TarHeader): Buffer {
  const records = {
    ...(name ? { path: name } : {}),
    ...(linkname ? { linkpath: linkname } : {}),
    ...pax,
  };
  const text = Object.entries(records).map(([key, value]) => paxRecord(key, value));
  return Buffer.from(text.join(""), "latin1");
}

/** The length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return `${length}${rest}`;
}

const BLOCK_SIZE = 512;

function padded(bytes: Buffer): Buffer {
  const whole = Buffer.alloc(Math.ceil(bytes.length / BLOCK_SIZE) * BLOCK_SIZE);
  bytes.copy(whole);
  return whole;
}
