// @no-vm: it counts pages of the real machine.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../native/stage.ts";
import { Supervised } from "./supervised.ts";

const LIMIT_KIB = 150;

/**
 * KiB that the process has in memory, its program's shared pages and all: a supervisor that is alone with
 * its memfd shares them with nobody. The plan is the caller's size and is not counted.
 */
function residentKib(pid: number): number {
  const smaps = readFileSync(`/proc/${pid}/smaps`, "utf8");
  let kib = 0;
  for (const mapping of smaps.split(/^(?=[0-9a-f]+-)/m)) {
    if (/memfd:tsrun-plan|\[v/.test(mapping.split("\n")[0] ?? "")) continue;
    kib += Number(/^Rss:\s+(\d+)/m.exec(mapping)?.[1] ?? 0);
  }
  return kib;
}

it(`takes at most ${LIMIT_KIB} KiB, busy with everything at once, and gives most of it back`, async (t) => {
  await using container = new Supervised(
    ["/bin/sh", "-c", "seq 1 2000000; seq 1 500000 >&2; cat >/dev/null; echo done; exec sleep 60"],
    { stdin: "open", client: true, log: { maxSizeBytes: 5_000_000, maxFiles: 1 } },
  );
  const client = container.client ?? assert.fail();
  let seen = "";
  client.stdout.on("data", (chunk: Buffer) => {
    seen = chunk.toString();
  });
  client.stderr.resume();
  await container.running;
  client.stdin.end(Buffer.alloc(3_000_000));
  let most = 0;
  while (!seen.endsWith("done\n")) {
    most = Math.max(most, residentKib(container.stage.pid));
    await sleep(10);
  }
  const now = () => residentKib(container.stage.pid);
  most = Math.max(most, now());
  await until("the buffers are given back", () => now() <= most - 30);
  t.diagnostic(`${most} KiB when busy, ${now()} KiB when idle again`);
  assert.ok(most <= LIMIT_KIB, `${most} KiB`);
});
