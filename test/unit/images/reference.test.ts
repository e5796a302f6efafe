import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatReference, parseReference } from "../../../src/images/index.ts";

describe("parseReference", () => {
  const good: readonly (readonly [string, string])[] = [
    ["busybox", "busybox:latest"],
    ["debian:12", "debian:12"],
    ["team/app:v1.2-rc_3", "team/app:v1.2-rc_3"],
    ["registry.example:5000/team/app", "registry.example:5000/team/app:latest"],
    ["localhost/a__b.c-d", "localhost/a__b.c-d:latest"],
  ];
  for (const [text, canonical] of good) {
    it(`takes "${text}"`, () => assert.equal(formatReference(parseReference(text)), canonical));
  }

  for (const text of [
    "",
    "Debian",
    "a//b",
    "/a",
    "a:",
    "a:b:c",
    "a b",
    "../a",
    "a/.",
    "-a",
    "a:.x",
  ]) {
    it(`refuses "${text}"`, () =>
      assert.throws(() => parseReference(text), { code: "INVALID_ARGUMENT" }));
  }

  it("keeps a digest beside the tag", () => {
    const digest = `sha256:${"0".repeat(64)}`;
    assert.deepEqual(parseReference(`a:b@${digest}`), { name: "a", tag: "b", digest });
  });

  it("reads back what it has written, and never hangs on anything else", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 600 }), (text) => {
        try {
          const canonical = formatReference(parseReference(text));
          assert.equal(formatReference(parseReference(canonical)), canonical);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "INVALID_ARGUMENT");
        }
      }),
    );
  });
});
