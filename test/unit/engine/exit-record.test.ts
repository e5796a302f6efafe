import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseExitRecord, readExitRecord } from "../../../src/engine/exit-record.ts";

const RECORD = {
  pid: 7,
  exitCode: 0,
  signal: null,
  oomKilled: false,
  oomKills: 0,
  finishedAt: "2026-11-21T10:44:43.123456789Z",
  logLost: 0,
};

describe("parseExitRecord", () => {
  it("reads what the supervisor writes", () => {
    assert.deepEqual(parseExitRecord(`${JSON.stringify(RECORD)}\n`, "x"), RECORD);
    const killed = { ...RECORD, exitCode: null, signal: 9, oomKilled: true, oomKills: 2 };
    assert.deepEqual(parseExitRecord(JSON.stringify(killed), "x"), killed);
  });

  const damaged: readonly string[] = [
    "",
    "{",
    "null",
    "[]",
    "3",
    ...Object.keys(RECORD).map((field) => JSON.stringify({ ...RECORD, [field]: undefined })),
    JSON.stringify({ ...RECORD, exitCode: "0" }),
    JSON.stringify({ ...RECORD, signal: 1.5 }),
  ];
  for (const text of damaged) {
    it(`names the file of ${JSON.stringify(text).slice(0, 60)}`, () => {
      assert.throws(() => parseExitRecord(text, "/the/file"), {
        code: "STORE_UNAVAILABLE",
        message: /"\/the\/file"/,
      });
    });
  }
});

describe("readExitRecord", () => {
  it("finds none before the first exit, and reads the one that is there", () => {
    const dir = mkdtempSync(join(tmpdir(), "tsrun-exit-"));
    try {
      const path = join(dir, "exit.json");
      assert.equal(readExitRecord(path), undefined);
      assert.equal(readExitRecord(join(path, "below")), undefined);
      writeFileSync(path, JSON.stringify(RECORD));
      assert.deepEqual(readExitRecord(path), RECORD);
      assert.throws(() => readExitRecord(dir), { errno: "EISDIR" });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
