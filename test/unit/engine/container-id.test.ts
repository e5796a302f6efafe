import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  isContainerId,
  isIdPrefix,
  parseContainerName,
  randomContainerId,
  shortId,
} from "../../../src/engine/container-id.ts";
import { randomName } from "../../../src/engine/random-name.ts";

describe("a container's id", () => {
  it("is 64 hexadecimal digits, another one each time", () => {
    const ids = new Set(Array.from({ length: 50 }, randomContainerId));
    assert.equal(ids.size, 50);
    for (const id of ids) assert.match(id, /^[0-9a-f]{64}$/);
  });

  it("is shown by its first twelve digits, which are a prefix of it", () => {
    const id = randomContainerId();
    assert.equal(shortId(id).length, 12);
    assert.ok(id.startsWith(shortId(id)) && isIdPrefix(shortId(id)));
  });

  it("is not mistaken for a path", () => {
    for (const text of ["..", "a/b", "", "g", "A".repeat(64), `${"a".repeat(64)}\n`]) {
      assert.equal(isContainerId(text), false, JSON.stringify(text));
      assert.equal(isIdPrefix(text), false, JSON.stringify(text));
    }
  });
});

describe("a container's name", () => {
  for (const name of ["web", "a", "0", "My.App_1-x", "x".repeat(200)]) {
    it(`may be ${name.slice(0, 20)}`, () => assert.equal(parseContainerName(name), name));
  }

  for (const name of ["", ".", "..", "-a", "_a", "a/b", "a b", "ä", "a\n", "x".repeat(201)]) {
    it(`cannot be ${JSON.stringify(name.slice(0, 20))}`, () => {
      assert.throws(() => parseContainerName(name), { code: "INVALID_ARGUMENT" });
    });
  }

  it("cannot be what looks like a whole id", () => {
    assert.throws(() => parseContainerName("a".repeat(64)), /looks like an id/);
  });

  it("is never a path, whatever it is made of", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          assert.match(parseContainerName(text), /^[^/.][^/\0]*$/);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "INVALID_ARGUMENT");
        }
      }),
    );
  });

  it("is made of two words if nobody chose one, and is a valid name", () => {
    for (let i = 0; i < 200; i++) {
      const name = randomName();
      assert.match(name, /^[a-z]+_[a-z]+$/);
      assert.equal(parseContainerName(name), name);
    }
  });
});
