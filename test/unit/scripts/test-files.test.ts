import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runFiles } from "../../../scripts/test-files.ts";
import type { TestResult } from "../../../scripts/test-results.ts";

/** Test files with every way to end; the runner of all our tests must not mistake one for success. */
const FILES = {
  "green.test.ts": `
    import { describe, it } from "node:test";
    it("one", () => {});
    describe("suite", () => { it("two", () => {}); });`,
  "red.test.ts": `
    import { describe, it } from "node:test";
    describe("suite", () => { it("bad", () => { console.log("noise"); throw new Error("why"); }); });`,
  "skip.test.ts": `
    import { it } from "node:test";
    it("later", (t) => t.skip("needs a moon"));`,
  "hook.test.ts": `
    import { before, describe, it } from "node:test";
    describe("suite", () => { before(() => { throw new Error("hook"); }); it("in it", () => {}); });`,
  "empty.test.ts": "export {};",
  "crash.test.ts": `
    import { it } from "node:test";
    it("one", () => {});
    it("two", () => process.kill(process.pid, "SIGKILL"));`,
  "hang.test.ts": `
    import { it } from "node:test";
    it("for ever", () => new Promise(() => setInterval(() => {}, 1000)));`,
  "status.test.ts": `
    import { it } from "node:test";
    it("one", () => {});
    process.on("exit", () => { process.exitCode = 9; });`,
  "late.test.ts": `
    import { it } from "node:test";
    it("one", () => { setTimeout(() => { throw new Error("too late"); }, 10); });
    it("two", () => new Promise((done) => setTimeout(done, 50)));`,
} as const;

describe("runFiles", () => {
  let folder: string;
  const results: TestResult[] = [];
  const of = (file: keyof typeof FILES) =>
    results
      .filter((result) => result.file.endsWith(`/${file}`))
      .map(({ name, outcome, reason, error }) => ({ name, outcome, why: reason ?? error }));

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "tsrun-runner-"));
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
    await runFiles({
      files: Object.keys(FILES).map((name) => join(folder, name)),
      concurrency: 3,
      timeoutMsPerFile: 4000,
      onResult: (result) => results.push(result),
    });
  });
  after(() => rmSync(folder, { recursive: true }));

  it("counts tests, not suites, and names them in full", () => {
    assert.deepEqual(of("green.test.ts"), [
      { name: "one", outcome: "passed", why: undefined },
      { name: "suite › two", outcome: "passed", why: undefined },
    ]);
  });

  it("gives a failure's error and what its file printed, once", () => {
    const [failure, ...more] = of("red.test.ts");
    assert.equal(failure?.name, "suite › bad");
    assert.equal(failure?.outcome, "failed");
    assert.match(failure?.why ?? "", /Error: why[\s\S]*what the file printed\nnoise/);
    assert.deepEqual(more, []);
  });

  it("gives the reason of a skip", () => {
    assert.deepEqual(of("skip.test.ts"), [
      { name: "later", outcome: "skipped", why: "needs a moon" },
    ]);
  });

  it("fails a suite whose hook throws, and the tests in it", () => {
    assert.deepEqual(
      of("hook.test.ts").map(({ name, outcome }) => [name, outcome]),
      [
        ["suite › in it", "failed"],
        ["suite", "failed"],
      ],
    );
  });

  const WHOLE = "(the file as a whole)";
  const whole = {
    "empty.test.ts": /holds no test/,
    "crash.test.ts": /was killed by SIGKILL/,
    "hang.test.ts": /did not end in time/,
    "status.test.ts": /ended with exit status 9, though no test failed/,
    "late.test.ts": /though no test failed[\s\S]*too late/,
  } as const;
  for (const file of Object.keys(whole) as (keyof typeof whole)[]) {
    it(`fails ${file} as a whole`, () => {
      const failure = of(file).find(({ outcome }) => outcome === "failed");
      assert.equal(failure?.name, WHOLE);
      assert.match(failure?.why ?? "", whole[file]);
    });
  }
});

describe("runFiles with rerunFailed", () => {
  /** Fails when its marker is not there yet, and says how often it ran. */
  const failing = (name: string, times: number) => `
    import { appendFileSync, readFileSync } from "node:fs";
    import { it } from "node:test";
    it("steady", () => {});
    it("now and then", () => {
      const log = import.meta.dirname + "/${name}.log";
      appendFileSync(log, "x");
      if (readFileSync(log, "utf8").length <= ${times}) throw new Error("not yet");
    });`;

  it("runs a failed file once more, and tells what failed before", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tsrun-rerun-"));
    try {
      writeFileSync(join(folder, "once.test.ts"), failing("once", 1));
      writeFileSync(join(folder, "twice.test.ts"), failing("twice", 2));
      const results: TestResult[] = [];
      await runFiles({
        files: ["once", "twice"].map((name) => join(folder, `${name}.test.ts`)),
        concurrency: 1,
        timeoutMsPerFile: 20_000,
        rerunFailed: true,
        onResult: (result) => results.push(result),
      });
      assert.deepEqual(
        results.map(({ name, outcome }) => [name, outcome]),
        [
          ["steady", "passed"],
          ["now and then", "passed"],
          ["steady", "passed"],
          ["now and then", "failed"],
        ],
      );
      assert.deepEqual(
        results.map(({ unsteady }) => unsteady !== undefined),
        [false, true, false, true],
      );
      assert.match(results[1]?.unsteady ?? "", /now and then\nError: not yet/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
