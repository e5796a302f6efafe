import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  encodeResize,
  encodeStdin,
  encodeStdinEnd,
  FrameDecoder,
  type RelayFrame,
} from "../../../../src/engine/attach/protocol.ts";

/** As the supervisor writes it. */
function frame(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(type);
  header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body]);
}

function exitBody(code: number, status: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeInt32LE(code);
  body.writeInt32LE(status, 4);
  return body;
}

const output = fc.record({
  type: fc.constantFrom(1, 2),
  data: fc.uint8Array({ maxLength: 300 }),
});

describe("encodeStdin", () => {
  it("makes frames of at most 8192 bytes that hold exactly the data", () => {
    for (const size of [0, 1, 8191, 8192, 8193, 100_000]) {
      const data = Buffer.alloc(size, "ab");
      const pieces = encodeStdin(data).map((piece) => Buffer.from(piece));
      const payloads = pieces.filter((_, index) => index % 2 === 1);
      assert.deepEqual(Buffer.concat(payloads), data);
      for (const [index, payload] of payloads.entries()) {
        assert.ok(payload.length > 0 && payload.length <= 8192);
        const header = frame(16, payload).subarray(0, 8);
        assert.deepEqual(pieces[index * 2], header);
      }
    }
  });

  it("never makes the frame that ends stdin out of data", () => {
    assert.deepEqual(encodeStdin(Buffer.alloc(0)), []);
    assert.equal(encodeStdinEnd().toString("hex"), "1000000000000000");
  });
});

describe("encodeResize", () => {
  it("is rows, then columns, little endian", () => {
    const bytes = encodeResize({ rows: 24, cols: 0x0102 });
    assert.equal(bytes.toString("hex"), "1100000004000000" + "1800" + "0201");
  });

  it("refuses what struct winsize cannot hold", () => {
    for (const size of [-1, 1.5, 65_536, Number.NaN]) {
      assert.throws(() => encodeResize({ rows: size, cols: 80 }), { code: "INVALID_ARGUMENT" });
      assert.throws(() => encodeResize({ rows: 24, cols: size }), { code: "INVALID_ARGUMENT" });
    }
  });
});

describe("FrameDecoder", () => {
  it("gives back every frame, however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(output), fc.array(fc.nat(400)), (frames, cuts) => {
        const bytes = Buffer.concat([
          ...frames.map(({ type, data }) => frame(type, data)),
          frame(3, exitBody(1, 7)),
        ]);
        const decoder = new FrameDecoder();
        const decoded: RelayFrame[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          decoded.push(...decoder.push(bytes.subarray(at, at + cut)));
          at += Math.min(cut, bytes.length - at);
        }
        assert.deepEqual(decoded, [
          ...frames.map(({ type, data }) => ({
            kind: type === 1 ? "stdout" : "stderr",
            data: Buffer.from(data),
          })),
          { kind: "exit", status: { kind: "exited", code: 7 } },
        ]);
        assert.equal(decoder.pending, 0);
      }),
    );
  });

  it("tells an exit from a death by signal", () => {
    const decode = (code: number, status: number) =>
      new FrameDecoder().push(frame(3, exitBody(code, status)));
    assert.deepEqual(decode(1, 255), [{ kind: "exit", status: { kind: "exited", code: 255 } }]);
    assert.deepEqual(decode(2, 9), [{ kind: "exit", status: { kind: "killed", signal: 9 } }]);
    assert.deepEqual(decode(3, 11), [{ kind: "exit", status: { kind: "killed", signal: 11 } }]);
    assert.deepEqual(new FrameDecoder().push(frame(4, Buffer.alloc(0))), [{ kind: "busy" }]);
  });

  it("refuses what no supervisor sends", () => {
    const hostile = [
      frame(0, Buffer.alloc(0)),
      frame(5, Buffer.alloc(0)),
      frame(16, Buffer.from("x")),
      frame(1, Buffer.alloc(8193)),
      frame(3, Buffer.alloc(4)),
    ];
    for (const bytes of hostile) {
      assert.throws(
        () => new FrameDecoder().push(bytes),
        { code: "SYSTEM" },
        bytes.toString("hex"),
      );
    }
  });

  it("does not wait for 4 GiB that were announced", () => {
    assert.throws(() => new FrameDecoder().push(Buffer.from("01000000ffffffff", "hex")), {
      code: "SYSTEM",
    });
  });
});
