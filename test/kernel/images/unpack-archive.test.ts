// @no-vm
/** An archive and what is behind it, on their way into a directory. Needs root. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { unpackArchive } from "../../../src/images/unpack-archive.ts";
import { tarOf } from "../../support/fake-registry.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrun-unpack-archive-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

describe("unpackArchive", () => {
  it("reads what comes behind the archive's end, and closes what it read from", async () => {
    const tar = await tarOf([{ name: "file", body: "contents" }]);
    const packed = Buffer.concat([gzipSync(tar), Buffer.alloc(100_000)]);
    let read = 0;
    let isClosed = false;
    async function* bytes() {
      try {
        for (let at = 0; at < packed.length; at += 1000) {
          await setImmediate(); // the archive has ended before the rest comes
          read += packed.subarray(at, at + 1000).length;
          yield packed.subarray(at, at + 1000);
        }
      } finally {
        isClosed = true;
      }
    }
    const diffId = `sha256:${createHash("sha256").update(tar).digest("hex")}`;
    const layer = await unpackArchive(bytes(), directory, { diffId });
    assert.equal(layer.diffId, diffId);
    assert.equal(readFileSync(join(directory, "file"), "utf8"), "contents");
    assert.deepEqual({ read, isClosed }, { read: packed.length, isClosed: true });
  });

  it("closes what it read from when it is no archive", async () => {
    let isClosed = false;
    async function* bytes() {
      try {
        for (;;) yield Buffer.alloc(1000, "x");
      } finally {
        isClosed = true;
      }
    }
    await assert.rejects(unpackArchive(bytes(), directory, { diffId: "sha256:x" }));
    assert.equal(isClosed, true);
  });
});
