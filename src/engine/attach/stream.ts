/**
 * One connection to a container's supervisor as Node streams. Back-pressure goes both ways: what nobody
 * reads from `stdout` or `stderr` stays in the socket, and a container that does not read its stdin
 * holds up the writer.
 */
import { type OnReadOpts, Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import type { ExitStatus } from "../../runtime/index.ts";
import {
  encodeLeave,
  encodeResize,
  encodeStdin,
  encodeStdinEnd,
  FrameDecoder,
  type RelayFrame,
  type WindowSize,
} from "./protocol.ts";

/** How an attachment ended: with the container, by `detach`, or against everybody's will. */
export type AttachEnd =
  | ExitStatus
  | { readonly kind: "detached" }
  | { readonly kind: "lost"; readonly error: TsrunError };

export interface AttachStream {
  /**
   * Both must be read (or `resume()`d): they share one socket, so what nobody takes from one holds up the
   * other and, when the supervisor's buffer is full, the container. A PTY's output is all stdout.
   */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** `end()` closes the container's stdin, or types VEOF on a PTY. After the exit, writes are thrown away. */
  readonly stdin: Writable;
  /** The PTY's new size; without a PTY nothing happens. */
  readonly resize: (size: WindowSize) => void;
  /** Leaves; the container goes on. */
  readonly detach: () => void;
  /** Leaves, when the other side has learnt that it goes on without whoever started it. */
  readonly leave: () => Promise<void>;
  /** Never rejects. All output has been given to `stdout` and `stderr` then, if not yet read from them. */
  readonly exit: Promise<AttachEnd>;
}

const READ_SIZE = 65_536;

/** Takes over one end of a connected socket pair. */
export function attachTo(fd: number): AttachStream {
  return new SocketAttachment((onread) => new Socket({ fd, onread }));
}

/**
 * `open` makes the socket with these options. With them, what has been read is here: a paused net.Socket
 * would keep some of it, and lose it to the EPIPE of a write after the container's exit.
 */
export class SocketAttachment implements AttachStream {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly stdin: Writable;
  readonly exit: Promise<AttachEnd>;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #full = new Set<Readable>();
  #end: AttachEnd | undefined;
  #leaving: boolean = false;
  #settle: (end: AttachEnd) => void = () => {};

  constructor(open: (onread: OnReadOpts) => Socket) {
    this.exit = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.stdout = this.#output();
    this.stderr = this.#output();
    this.stdin = this.#input();
    const buffer = Buffer.allocUnsafeSlow(READ_SIZE);
    this.#socket = open({
      buffer,
      callback: (size) => this.#receive(Buffer.from(buffer.subarray(0, size))),
    });
    this.#socket.on("error", (error) => this.#finish(lost(error)));
    this.#socket.on("close", () => this.#finish(lost(undefined)));
    this.#socket.resume();
  }

  readonly resize = (size: WindowSize): void => {
    const frame = encodeResize(size);
    if (this.#end === undefined) this.#socket.write(frame);
  };

  readonly detach = (): void => this.#finish({ kind: "detached" });

  readonly leave = async (): Promise<void> => {
    if (this.#end !== undefined) return;
    this.#leaving = true;
    this.#socket.write(encodeLeave());
    // What still comes is read, for the end of file behind it.
    for (const output of [this.stdout, this.stderr]) output.destroy();
    await this.exit;
  };

  #output(): Readable {
    const output: Readable = new Readable({
      read: () => {
        this.#full.delete(output);
        if (this.#full.size === 0) this.#socket.resume();
      },
      // Nobody wants it any more: what still comes for it is dropped, and holds nobody up.
      destroy: (error, done) => {
        this.#full.delete(output);
        if (this.#full.size === 0) this.#socket.resume();
        done(error);
      },
    });
    return output;
  }

  #input(): Writable {
    return new Writable({
      decodeStrings: true,
      write: (chunk: Buffer, _encoding, done) => this.#send(encodeStdin(chunk), done),
      final: (done) => this.#send([encodeStdinEnd()], done),
    });
  }

  /** A container that has exited, or does not read, is no error of the writer's: `exit` tells how it ended. */
  #send(pieces: readonly Uint8Array[], done: () => void): void {
    const last = pieces.at(-1);
    if (this.#end !== undefined || last === undefined) {
      // Not at once: whoever writes without end would keep everything else of the program waiting.
      setImmediate(done);
      return;
    }
    this.#socket.cork();
    for (const piece of pieces.slice(0, -1)) this.#socket.write(piece);
    this.#socket.write(last, () => done());
    this.#socket.uncork();
  }

  /** Whether reading goes on. */
  #receive(chunk: Buffer): boolean {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#take(frame);
    } catch (error) {
      if (!(error instanceof TsrunError)) throw error;
      this.#finish({ kind: "lost", error });
    }
    return this.#full.size === 0;
  }

  #take(frame: RelayFrame): void {
    switch (frame.kind) {
      case "stdout":
        this.#give(this.stdout, frame.data);
        break;
      case "stderr":
        this.#give(this.stderr, frame.data);
        break;
      case "exit":
        this.#finish(frame.status);
        break;
      case "busy":
        this.#finish({ kind: "lost", error: tooManyClients() });
        break;
    }
  }

  #give(output: Readable, data: Buffer): void {
    if (output.destroyed || this.#end !== undefined || output.push(data)) return;
    this.#full.add(output);
  }

  /** Only the first end counts. */
  #finish(end: AttachEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end.kind === "lost" && this.#leaving ? { kind: "detached" } : end;
    this.#socket.destroy();
    for (const output of [this.stdout, this.stderr]) if (!output.destroyed) output.push(null);
    this.#settle(this.#end);
  }
}

function lost(cause: unknown): AttachEnd {
  const why = hasErrno(cause, "ECONNREFUSED", "ENOENT") ? "does not answer" : "has gone away";
  const error = new TsrunError("SUPERVISOR_LOST", `the container's supervisor ${why}`, {
    cause,
    hint: "See whether the container still runs with `tsrun inspect`.",
  });
  return { kind: "lost", error };
}

function tooManyClients(): TsrunError {
  return new TsrunError("WRONG_STATE", "as many terminals as possible are attached already", {
    hint: "Detach one of them, or follow the output with `tsrun logs -f`.",
  });
}
