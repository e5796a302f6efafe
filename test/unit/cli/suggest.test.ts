import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { editDistance, suggestNearest } from "../../../src/cli/suggest.ts";

describe("suggestNearest", () => {
  it("finds what was meant", () => {
    const known = ["run", "rm", "restart", "inspect", "pause", "ps"];
    assert.equal(suggestNearest("rnu", known), "run");
    assert.equal(suggestNearest("inpsect", known), "inspect");
    assert.equal(suggestNearest("restrat", known), "restart");
    assert.equal(suggestNearest("frobnicate", known), undefined);
  });
});

describe("editDistance", () => {
  it("counts a swap once", () => assert.equal(editDistance("ab", "ba"), 1));
  it("is zero for the same word alone, and the same both ways", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(editDistance(a, b) === 0, a === b);
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
      }),
    );
  });
});
