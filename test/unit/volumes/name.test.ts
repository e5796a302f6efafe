import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseVolumeName, randomVolumeName } from "../../../src/volumes/index.ts";

describe("parseVolumeName", () => {
  for (const name of ["data", "a", "9.b_c-d", "x".repeat(255), randomVolumeName()]) {
    it(`takes ${name.slice(0, 20)}`, () => assert.equal(parseVolumeName(name), name));
  }
  for (const name of ["", ".", "..", ".new-1", "-a", "a/b", "../x", "a b", "ä", "x".repeat(256)]) {
    it(`refuses ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.throws(() => parseVolumeName(name), { code: "INVALID_ARGUMENT" });
    });
  }
});
