/**
 * What a power cut must not take: whatever gets a blob's name was synced under the name before, and so
 * was the index. Seen in the system calls.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli, runProgram, TSRUN } from "../../support/cli.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { busyboxRoot } from "../../support/roots.ts";

const missing = spawnSync("strace", ["-V"], { stdio: "ignore" }).error ? "needs strace" : false;

describe("blobs and the index are synced before they have their names", { skip: missing }, () => {
  let cli: Cli;
  let registry: FakeRegistry;
  before(async () => {
    [cli, registry] = await Promise.all([Cli.open(), FakeRegistry.open()]);
    await registry.publish("app:1", [[{ name: "one", body: "1".repeat(100_000) }]]);
    await cli.ok("create", "--name", "box", "busybox", "sh");
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  const cases: Readonly<Record<string, () => Promise<readonly string[]>>> = {
    import: async () => ["import", "-q", await busyboxRoot(), "again:1"],
    pull: async () => ["pull", "-q", "--tls-verify=false", `${registry.host}/app:1`],
    commit: async () => ["commit", "-q", "box", "committed:1"],
  };
  for (const [name, args] of Object.entries(cases)) {
    it(`by ${name}`, async () => {
      const store = join(cli.base, "root/images");
      const blobs = join(store, "blobs/sha256");
      const before = new Set(readdirSync(blobs));
      const trace = cli.file(`${name}.trace`);
      const argv = ["-f", "-y", "-e", "trace=fsync,rename", "-o", trace, TSRUN, ...(await args())];
      const { status, stderr } = await runProgram("strace", argv, { env: cli.env });
      assert.equal(status, 0, stderr);
      const { named, synced } = readCalls(trace);
      const added = readdirSync(blobs).filter((hex) => !before.has(hex));
      assert.ok(added.length > 0, "it has added blobs");
      for (const path of [...added.map((hex) => join(blobs, hex)), join(store, "index.json")]) {
        const move = named.get(path);
        assert.ok(move, `${path} was renamed into place`);
        const at = synced.get(move.from);
        assert.ok(at !== undefined && at < move.line, `${path} was synced before`);
      }
    });
  }
});

/** Which line of the trace gave a file its name, and which line first synced a file. */
function readCalls(trace: string) {
  const named = new Map<string, { readonly from: string; readonly line: number }>();
  const synced = new Map<string, number>();
  for (const [line, call] of readFileSync(trace, "utf8").split("\n").entries()) {
    const [, from = "", to] = /rename\("([^"]+)", "([^"]+)"\)/.exec(call) ?? [];
    if (to !== undefined) named.set(to, { from, line });
    const path = /fsync\(\d+<([^>]+)>/.exec(call)?.[1];
    if (path !== undefined && !synced.has(path)) synced.set(path, line);
  }
  return { named, synced };
}
