import { writeSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";

/** All of it, also into a pipe that somebody made non-blocking. */
export function print(text: string): void {
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      if (!hasErrno(error, "EAGAIN")) throw error;
    }
  }
}
