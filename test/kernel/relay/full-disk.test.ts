// @no-vm: nothing in it depends on the machine.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";

interface Found {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly exitCode: number;
  readonly logLost: number;
  readonly statuses: readonly string[];
}

it("lets the container go on when the log's disk is full, counts, tells once, and resumes", () => {
  const program = join(import.meta.dirname, "full-disk.ts");
  const argv = ["--mount", "--propagation", "private", process.execPath, program];
  const { status, stdout, stderr } = spawnSync("unshare", argv, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const { before, after, exitCode, logLost, statuses } = JSON.parse(stdout) as Found;
  assert.equal(exitCode, 0);
  assert.ok(before.length > 500, `${before.length} records before it was full`);
  assert.ok(
    before.every((line, index) => line === String(index + 1)),
    "a gapless beginning",
  );
  assert.deepEqual(after.slice(0, before.length), before, "what was written stays");
  assert.deepEqual(
    after.slice(before.length),
    Array.from({ length: 100 }, (_, index) => String(20_001 + index)),
    "whole records again as soon as there is space",
  );
  assert.equal(logLost, 20_000 + 1 - before.length);
  assert.deepEqual(statuses, ["log-error", "died"]);
});
