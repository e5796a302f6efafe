/**
 * Every field of config.json, on any runtime: a bundle with the field set, and what the container sees
 * of it, or the refusal. RUNTIME=runc npm run test:conformance
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CliResult } from "../support/cli.ts";
import type { Bundle } from "./bundle.ts";
import type { Case, Expectation } from "./cases.ts";
import { LINUX_CASES } from "./linux.ts";
import { PROCESS_CASES } from "./process.ts";
import { MOUNT_CASES } from "./root-and-mounts.ts";
import { Runtime } from "./runtime.ts";

let runtime: Runtime;
before(async () => {
  runtime = await Runtime.open();
});
after(() => runtime[Symbol.asyncDispose]());

const TABLES = {
  process: PROCESS_CASES,
  "root and mounts": MOUNT_CASES,
  linux: LINUX_CASES,
};

for (const [title, cases] of Object.entries(TABLES)) {
  describe(title, { concurrency: 2 }, () => {
    for (const theCase of cases) {
      it(theCase.name, async (t) => {
        const reason = theCase.differs?.[runtime.name as "runc" | "crun"];
        if (reason === undefined) return judge(theCase);
        await assert.rejects(judge(theCase), `${runtime.name} does it after all: ${reason}`);
        t.skip(`${runtime.name} ${reason}`);
      });
    }
  });
}

async function judge({ set = {}, prepare, script = "true", expect }: Case): Promise<void> {
  const bundle = runtime.bundle();
  prepare?.(bundle);
  bundle.write({ "process.args": ["sh", "-c", script] });
  bundle.write(typeof set === "function" ? set(bundle) : set);
  const result = await runtime.run(["run", "--bundle", bundle.folder, bundle.id]);
  check(expect, result, bundle);
  assert.ok(!runtime.knows(bundle.id), "run leaves its records");
}

function check(expect: Expectation, result: CliResult, bundle: Bundle): void {
  const { status, stdout, stderr } = result;
  if ("refused" in expect) {
    assert.notEqual(status, 0, `it is accepted: ${stdout}`);
    assert.notEqual(stderr, "", "it says nothing");
    if (runtime.name === "tsrun-oci") assert.ok(stderr.includes(expect.refused), stderr);
    return;
  }
  if ("after" in expect) {
    expect.after(bundle);
    return;
  }
  assert.equal(status, expect.status ?? 0, stderr + stdout);
  if (!("stdout" in expect)) return;
  const shown = stdout.replace(/\n$/, "");
  if (typeof expect.stdout === "string") assert.equal(shown, expect.stdout, stderr);
  else assert.match(shown, expect.stdout, stderr);
}
