// @no-vm
/** A disk that is too small: a clear error, and all the room that was taken is given back. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { mount, umount2 } from "../../../src/ffi/index.ts";
import {
  commitImage,
  ImageStore,
  importImage,
  packUpper,
  pullImage,
  removeImage,
} from "../../../src/images/index.ts";
import { FakeRegistry, tarOf } from "../../support/fake-registry.ts";

const SIZE = 8 * 2 ** 20;
let base: string;
let disk: string;
let registry: FakeRegistry;

before(async () => {
  base = mkdtempSync(join(tmpdir(), "tsrun-full-"));
  disk = mkdtempSync(join(base, "disk-"));
  mount({ source: "tmpfs", target: disk, type: "tmpfs", options: `size=${SIZE}` });
  registry = await FakeRegistry.open();
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  umount2(disk, 0);
  rmSync(base, { recursive: true, force: true });
});

function usedBytes(): number {
  const { blocks, bfree, bsize } = statfsSync(disk);
  return (blocks - bfree) * bsize;
}

function isFull(error: unknown): boolean {
  return error instanceof TsrunError && error.code === "NO_SPACE";
}

describe("a full disk", () => {
  // Of each, the packed or the unpacked form is what no longer fits, whichever comes first.
  for (const [name, body] of [
    ["what packs badly", randomBytes(SIZE)],
    ["what packs well", Buffer.alloc(4 * SIZE, "abc")],
  ] as const) {
    it(`ends a pull and an import of ${name}, and is as empty as before`, async () => {
      const store = new ImageStore(disk);
      await store.locked(() => undefined); // makes the store's directories
      const before = usedBytes();
      const bytes = await tarOf([{ name: "file", body }]);
      await registry.publish("app:1", [bytes]);
      const access = { insecure: true, environment: {} };
      await assert.rejects(pullImage(store, `${registry.host}/app:1`, access), isFull);
      assert.equal(usedBytes(), before);
      const archive = join(base, "archive.tar");
      writeFileSync(archive, bytes);
      await assert.rejects(importImage(store, archive, "app", {}), isFull);
      assert.equal(usedBytes(), before);
      assert.deepEqual(store.images(), []);
    });

    it(`ends a commit of ${name}, and is as empty as before`, async () => {
      const store = new ImageStore(disk);
      const small = mkdtempSync(join(base, "root-"));
      writeFileSync(join(small, "f"), "f");
      const image = await importImage(store, small, "small", {});
      const before = usedBytes();
      const upper = mkdtempSync(join(base, "upper-"));
      writeFileSync(join(upper, "file"), body);
      const options = { base: image, layers: [() => packUpper(upper)], config: {}, step: {} };
      await assert.rejects(commitImage(store, options), isFull);
      assert.equal(usedBytes(), before);
      assert.equal(store.images().length, 1);
      const { id } = image;
      await removeImage(store, id, { used: new Set() });
    });
  }
});
