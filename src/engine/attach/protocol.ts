/**
 * The frames on an attach socket (native/plan.h, struct relay_frame): type, three zero bytes, length,
 * then that many bytes. Pure: bytes in, values out.
 */
import { TsrunError } from "../../base/errors.ts";
import { CLD, RELAY_FRAME_SIZE, RELAY_MAX_PAYLOAD, RELAY_TYPES } from "../../plan/index.ts";
import type { ExitStatus } from "../../runtime/index.ts";

/** What the supervisor says. */
export type RelayFrame =
  | { readonly kind: "stdout" | "stderr"; readonly data: Buffer }
  | { readonly kind: "exit"; readonly status: ExitStatus }
  | { readonly kind: "busy" };

/** TIOCSWINSZ's `struct winsize` without pixels. */
export interface WindowSize {
  readonly rows: number;
  readonly cols: number;
}

const LENGTH_OFFSET = 4;
const EXIT_SIZE = 8;

/** Bytes for the container's stdin, in as many frames as it takes; none for no bytes (that would be the end). */
export function encodeStdin(data: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += RELAY_MAX_PAYLOAD) {
    const payload = data.subarray(at, at + RELAY_MAX_PAYLOAD);
    pieces.push(frameHeader(RELAY_TYPES.stdin, payload.length), payload);
  }
  return pieces;
}

/** The end of stdin: closes a pipe, types VEOF on a terminal. */
export function encodeStdinEnd(): Buffer {
  return frameHeader(RELAY_TYPES.stdin, 0);
}

/** Throws INVALID_ARGUMENT if a side is not an integer of 0–65535. */
export function encodeResize({ rows, cols }: WindowSize): Buffer {
  for (const side of [rows, cols]) {
    if (!Number.isInteger(side) || side < 0 || side > 0xffff) {
      throw new TsrunError(
        "INVALID_ARGUMENT",
        `a terminal cannot have ${rows} rows, ${cols} columns`,
      );
    }
  }
  const body = Buffer.alloc(4);
  body.writeUInt16LE(rows, 0);
  body.writeUInt16LE(cols, 2);
  return Buffer.concat([frameHeader(RELAY_TYPES.resize, body.length), body]);
}

/** Closes this client; a supervisor that would die with its caller then lives on. */
export function encodeLeave(): Buffer {
  return frameHeader(RELAY_TYPES.leave, 0);
}

function frameHeader(type: number, length: number): Buffer {
  const header = Buffer.alloc(RELAY_FRAME_SIZE);
  header.writeUInt8(type, 0);
  header.writeUInt32LE(length, LENGTH_OFFSET);
  return header;
}

/** Cuts what arrives, in pieces of any size, into frames. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * The frames that are complete now. Their data shares memory with `chunk`. Throws SYSTEM for bytes
   * that are no frame; the connection is of no use after that.
   */
  push(chunk: Buffer): RelayFrame[] {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: RelayFrame[] = [];
    for (;;) {
      const size = frameSize(bytes);
      if (size === undefined || size > bytes.length) break;
      frames.push(decodeFrame(bytes.subarray(0, size)));
      bytes = bytes.subarray(size);
    }
    this.#rest = bytes;
    return frames;
  }

  /** Bytes of a frame that has not come whole. */
  get pending(): number {
    return this.#rest.length;
  }
}

/** Of the whole first frame, once its header is there. */
function frameSize(bytes: Buffer): number | undefined {
  if (bytes.length < RELAY_FRAME_SIZE) return undefined;
  const length = bytes.readUInt32LE(LENGTH_OFFSET);
  if (length > RELAY_MAX_PAYLOAD) throw malformed(`a frame of ${length} bytes`);
  return RELAY_FRAME_SIZE + length;
}

function decodeFrame(bytes: Buffer): RelayFrame {
  const type = bytes.readUInt8(0);
  const data = bytes.subarray(RELAY_FRAME_SIZE);
  switch (type) {
    case RELAY_TYPES.stdout:
      return { kind: "stdout", data };
    case RELAY_TYPES.stderr:
      return { kind: "stderr", data };
    case RELAY_TYPES.busy:
      return { kind: "busy" };
    case RELAY_TYPES.exit:
      return { kind: "exit", status: decodeExit(data) };
    default:
      throw malformed(`a frame of type ${type}`);
  }
}

function decodeExit(data: Buffer): ExitStatus {
  if (data.length !== EXIT_SIZE) throw malformed(`an exit of ${data.length} bytes`);
  const value = data.readInt32LE(4);
  return data.readInt32LE(0) === CLD.exited
    ? { kind: "exited", code: value }
    : { kind: "killed", signal: value };
}

function malformed(what: string): TsrunError {
  return new TsrunError("SYSTEM", `the supervisor sent ${what}, which no version of it does`);
}
