/**
 * Writing text to stdout and stderr, whole and in order: a pipe whose reader is slow is waited for, so
 * nothing is lost when the process ends right after.
 */
import { writeSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";

/** Throws EPIPE when the reader has gone. */
export function print(text: string | Uint8Array): void {
  writeAll(1, text);
}

export function printLine(line: string): void {
  writeAll(1, `${line}\n`);
}

/** To stderr; a stderr that is closed is nobody's business. */
export function printError(line: string): void {
  try {
    writeAll(2, `${line}\n`);
  } catch (error) {
    if (!hasErrno(error, "EPIPE", "EBADF", "EIO")) throw error;
  }
}

/** A pipe that somebody made non-blocking answers EAGAIN when it is full: it is asked again shortly after. */
function writeAll(fd: number, text: string | Uint8Array): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (!hasErrno(error, "EAGAIN")) throw error;
      Atomics.wait(NEVER, 0, 0, 5);
    }
  }
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));
