import { writeSync } from "node:fs";

/** All of the bytes, at an offset of the file: write(2) may take fewer. Throws Node's own error (ENOSPC, EFBIG …). */
export function writeAt(fd: number, bytes: Uint8Array, offset: number): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, offset + written);
  }
}
