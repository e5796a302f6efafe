import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { decompress } from "../../../src/images/decompress.ts";

/** A frame that decoders have to skip. RFC 8878, 3.1.2. */
function skippable(contents: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50 + (contents.length % 16), 0);
  header.writeUInt32LE(contents.length, 4);
  return Buffer.concat([header, contents]);
}

async function* inPieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Buffer, pieceSize: number): Promise<Buffer> {
  const { tar } = await decompress(Readable.from(inPieces(bytes, pieceSize)));
  return buffer(tar);
}

const CHECKSUM = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

describe("zstd with many frames", () => {
  it("gives the contents of all of them, whatever stands between, however it is cut", async () => {
    const part = fc.record({
      bytes: fc.uint8Array({ maxLength: 2000 }),
      repeat: fc.constantFrom(1, 1, 50, 300),
      kind: fc.constantFrom("plain", "checksum", "skip"),
    });
    const property = fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.constantFrom(1, 3, 7, 64, 100_000),
      async (parts, pieceSize) => {
        const frames = parts.map(({ bytes, repeat, kind }) => {
          const contents = Buffer.concat(Array.from({ length: repeat }, () => bytes));
          if (kind === "skip") return { frame: skippable(bytes), contents: Buffer.alloc(0) };
          return { frame: zstdCompressSync(contents, kind === "plain" ? {} : CHECKSUM), contents };
        });
        // What begins with no frame at all is no zstd.
        const first = { frame: zstdCompressSync(Buffer.from("x")), contents: Buffer.from("x") };
        const all = [first, ...frames];
        const packed = Buffer.concat(all.map(({ frame }) => frame));
        // A byte at a time through a megabyte says no more than through a kilobyte.
        const size = packed.length > 20_000 ? Math.max(pieceSize, 1000) : pieceSize;
        const whole = Buffer.concat(all.map(({ contents }) => contents));
        assert.ok((await unpack(packed, size)).equals(whole));
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });

  it("is an error when it is cut off or followed by something else", async () => {
    const frame = zstdCompressSync(Buffer.alloc(10_000, "abc"));
    await assert.rejects(unpack(Buffer.concat([frame, frame.subarray(0, 9)]), 64));
    await assert.rejects(unpack(Buffer.concat([frame, Buffer.from("garbage")]), 64));
  });
});
