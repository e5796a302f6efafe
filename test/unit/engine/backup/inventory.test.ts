import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fingerprint, planChanges } from "../../../../src/engine/backup/inventory.ts";

const file = (ino: number, { size = 1, ctime = 1 } = {}) =>
  fingerprint({
    mode: 0o100644,
    ino: BigInt(ino),
    ctimeNs: BigInt(ctime),
    mtimeNs: 1n,
    size: BigInt(size),
  });
const directory = (ino: number, ctime = 1) =>
  fingerprint({ mode: 0o040755, ino: BigInt(ino), ctimeNs: BigInt(ctime), mtimeNs: 1n, size: 0n });

describe("planChanges", () => {
  it("packs everything where there was nothing", () => {
    const { includes, removed } = planChanges({}, { "": directory(1), a: file(2) });
    assert.ok(includes("a"));
    assert.deepEqual(removed, []);
  });

  it("leaves out what is the same file with the same times", () => {
    const before = { "": directory(1), a: file(2), b: file(3), c: file(4), d: file(5) };
    const after = {
      "": directory(1, 9),
      a: file(2),
      b: file(3, { size: 2 }),
      c: file(4, { ctime: 2 }),
      d: file(6),
    };
    const { includes, removed } = planChanges(before, after);
    assert.deepEqual(["a", "b", "c", "d", "new"].map(includes), [false, true, true, true, true]);
    assert.deepEqual(removed, []);
  });

  it("names what is gone once, not what was in it", () => {
    const before = {
      "": directory(1),
      d: directory(2),
      "d/e": file(3),
      "d/f": file(4),
      x: file(5),
    };
    assert.deepEqual(planChanges(before, { "": directory(1) }).removed, ["d", "x"]);
  });

  it("begins a directory anew that is another one, with all that is in it", () => {
    const before = { "": directory(1), d: directory(2), "d/e": file(3), "d-f": file(4) };
    const after = { "": directory(1), d: directory(9), "d/e": file(3), "d-f": file(4) };
    const { includes, removed } = planChanges(before, after);
    assert.deepEqual(removed, ["d"]);
    assert.deepEqual(["d/e", "d-f"].map(includes), [true, false]);
  });

  it("removes a file before a directory comes in its place, and the other way round", () => {
    const before = { "": directory(1), a: file(2), d: directory(3) };
    const after = { "": directory(1), a: directory(4), d: file(5) };
    assert.deepEqual(planChanges(before, after).removed, ["a", "d"]);
  });
});
