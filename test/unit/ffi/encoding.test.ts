import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { makeDev } from "../../../src/ffi/at.ts";
import { cString } from "../../../src/ffi/libc.ts";
import { signalNumber } from "../../../src/ffi/process.ts";

describe("cString", () => {
  it("ends in NUL and is UTF-8", () => {
    assert.deepEqual([...cString("aé")], [0x61, 0xc3, 0xa9, 0]);
    assert.deepEqual([...cString(Uint8Array.of(0xff, 0x2f))], [0xff, 0x2f, 0]);
    assert.deepEqual([...cString("")], [0]);
  });

  it("refuses an inner NUL, at which the kernel would silently stop", () => {
    assert.throws(() => cString("/etc/passwd\0.png"), { code: "INVALID_ARGUMENT" });
    assert.throws(() => cString(Uint8Array.of(1, 0)), { code: "INVALID_ARGUMENT" });
  });

  it("keeps every other string as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!text.includes("\0"));
        const bytes = cString(text);
        assert.equal(Buffer.from(bytes.subarray(0, -1)).toString(), text);
      }),
    );
  });
});

describe("makeDev", () => {
  it("is the number that the kernel shows for a known device", () => {
    const { rdev } = fstatOf("/dev/null");
    assert.equal(makeDev(1, 3), rdev);
  });

  it("carries 12 bits of major and 20 of minor without mixing them", () => {
    fc.assert(
      fc.property(fc.nat(0xfff), fc.nat(0xfffff), (major, minor) => {
        const dev = makeDev(major, minor);
        assert.ok(dev >= 0 && dev <= 0xffff_ffff);
        assert.equal((dev >>> 8) & 0xfff, major);
        assert.equal((dev & 0xff) | ((dev >>> 12) & 0xfff00), minor);
      }),
    );
  });
});

describe("signalNumber", () => {
  it("knows names and passes numbers", () => {
    assert.equal(signalNumber("SIGTERM"), 15);
    assert.equal(signalNumber(34), 34);
    assert.throws(() => signalNumber("SIGNOPE" as NodeJS.Signals), { code: "INVALID_ARGUMENT" });
  });
});

function fstatOf(path: string) {
  const fd = openSync(path, "r");
  try {
    return fstatSync(fd);
  } finally {
    closeSync(fd);
  }
}
