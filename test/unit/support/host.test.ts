import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { assertHostUnchanged, compare, snapshotHost } from "../../support/host.ts";

it("finds nothing between two looks at the same folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsrun-host-"));
  try {
    writeFileSync(join(folder, "a"), "");
    const before = snapshotHost({ directories: [folder] });
    assert.deepEqual(before.files, [folder, join(folder, "a")]);
    assert.ok(before.mounts.some((mount) => mount.startsWith("/ ")));
    assert.ok(before.networkNamespaces.length > 0);
    const after = { ...before, files: snapshotHost({ directories: [folder] }).files };
    assert.deepEqual(compare(before, after), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("names what was left and what is gone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsrun-host-"));
  try {
    mkdirSync(join(folder, "old"));
    const before = snapshotHost({ directories: [folder] });
    rmSync(join(folder, "old"), { recursive: true });
    writeFileSync(join(folder, "new"), "");
    await assert.rejects(assertHostUnchanged(before, { timeoutMs: 0 }), (error: Error) => {
      assert.match(error.message, new RegExp(`\\+ files: ${folder}/new`));
      assert.match(error.message, new RegExp(`- files: ${folder}/old`));
      return true;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
