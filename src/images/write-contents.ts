/**
 * What a file of an archive holds, into the file: chunk by chunk as it comes, with holes where there is nothing.
 */
import { ftruncateSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { writeAt } from "../base/write-at.ts";
import type { Entry } from "./entry.ts";
import { invalid } from "./invalid-member.ts";
import { placeContents } from "./sparse.ts";

/** Takes a file's contents. Throws IMAGE_INVALID for what cannot be a file, NO_SPACE. */
export interface Contents {
  write(chunk: Uint8Array): void;
  /** After the last chunk. */
  end(): void;
}

/** For an open, empty file; it stays open. */
export function contentsOf(fd: number, { path, sparse }: Entry): Contents {
  const contents = sparse ? sparseContents(fd, path, sparse) : new WholeContents(fd);
  return {
    write: (chunk) => {
      try {
        contents.write(chunk);
      } catch (error) {
        throw describeRefusal(error, path);
      }
    },
    end: () => {
      try {
        contents.end();
      } catch (error) {
        throw describeRefusal(error, path);
      }
    },
  };
}

function describeRefusal(error: unknown, path: string): unknown {
  if (hasErrno(error, "EFBIG")) return invalid(path, "is larger than a file can be here");
  if (error instanceof TsrunError || !hasErrno(error, "ENOSPC", "EDQUOT")) return error;
  return new TsrunError("NO_SPACE", "the disk is full: the image was not unpacked", {
    hint: "Free some space, or point --root at a larger disk. What was unpacked is removed.",
    cause: error,
  });
}

function sparseContents(fd: number, path: string, sparse: NonNullable<Entry["sparse"]>): Contents {
  const placing = placeContents(path, sparse, (chunk, offset) => writeAt(fd, chunk, offset));
  placing.next();
  return {
    write: (chunk) => placing.next(chunk),
    end: () => {
      placing.next(undefined);
      ftruncateSync(fd, sparse.size);
    },
  };
}

/** What is nothing but zeros becomes a hole: a sparse file stays one on its way through an archive. */
class WholeContents implements Contents {
  readonly #fd: number;
  #size = 0;
  #written = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(chunk: Uint8Array): void {
    if (!isZero(chunk)) {
      writeAt(this.#fd, chunk, this.#size);
      this.#written = this.#size + chunk.length;
    }
    this.#size += chunk.length;
  }

  end(): void {
    if (this.#written < this.#size) ftruncateSync(this.#fd, this.#size);
  }
}

/** Smaller ones are no block of a file system. */
const SMALLEST_HOLE = 4096;
const ZEROS = Buffer.alloc(256 * 1024);

function isZero(chunk: Uint8Array): boolean {
  if (chunk.length < SMALLEST_HOLE || chunk[0] !== 0 || chunk.at(-1) !== 0) return false;
  for (let at = 0; at < chunk.length; at += ZEROS.length) {
    const part = chunk.subarray(at, at + ZEROS.length);
    if (ZEROS.compare(part, 0, part.length, 0, part.length) !== 0) return false;
  }
  return true;
}
