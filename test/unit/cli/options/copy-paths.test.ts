import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCopy } from "../../../../src/cli/options/copy-paths.ts";

describe("parseCopy", () => {
  it("tells containers from paths and streams", () => {
    assert.deepEqual(parseCopy("web:/etc/hosts", "."), {
      kind: "out",
      from: { kind: "container", container: "web", path: "/etc/hosts" },
      to: { kind: "host", path: "." },
    });
    assert.deepEqual(parseCopy("./a:b", "web:tmp"), {
      kind: "in",
      from: { kind: "host", path: "./a:b" },
      to: { kind: "container", container: "web", path: "/tmp" },
    });
    assert.deepEqual(parseCopy("-", "w:/").from, { kind: "stream" });
    assert.deepEqual(parseCopy("w:/", "/a:b").to, { kind: "host", path: "/a:b" });
  });

  it("refuses two of a kind", () => {
    assert.throws(() => parseCopy("a", "b"), { message: 'neither "a" nor "b" is in a container' });
    assert.throws(() => parseCopy("a:/x", "b:/y"), { code: "UNSUPPORTED" });
  });
});
