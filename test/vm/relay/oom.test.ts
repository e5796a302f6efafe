/** The supervisor sees the kernel kill for memory. Runs in the test VM: it has the memory controller. */
import assert from "node:assert/strict";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readHierarchy } from "../../../src/cgroups/index.ts";
import { Supervised } from "../../kernel/relay/supervised.ts";

const { mountPoint } = readHierarchy();
const parent = join(mountPoint, `tsrun-oom-test-${process.pid}`);
const cgroup = join(parent, "container");

/** Takes more memory than there is, in a process of its own. */
const GREEDY = "dd if=/dev/zero of=/dev/null bs=200M count=1";

describe("an out-of-memory kill", () => {
  before(() => {
    writeFileSync(join(mountPoint, "cgroup.subtree_control"), "+memory");
    mkdirSync(parent);
    writeFileSync(join(parent, "cgroup.subtree_control"), "+memory");
    mkdirSync(cgroup);
    writeFileSync(join(cgroup, "memory.max"), String(32 << 20));
    writeFileSync(join(cgroup, "memory.swap.max"), "0");
  });
  after(() => {
    rmdirSync(cgroup);
    rmdirSync(parent);
  });

  it("of a process that is not the first is an event at once, and in the exit record", async () => {
    await using container = new Supervised(["/bin/sh", "-c", `${GREEDY}; read line; exit 4`], {
      stdin: "open",
      cgroup,
    });
    await container.running;
    await waitForEvent(container, "oom");
    (await container.attach()).stdin.end("\n");
    const { exitCode, oomKilled, oomKills } = await container.ended;
    assert.deepEqual(
      { exitCode, oomKilled, oomKills },
      { exitCode: 4, oomKilled: true, oomKills: 1 },
    );
    assert.deepEqual(statuses(container), ["oom", "died"]);
  });

  it("of the first process is counted before the exit is recorded; earlier runs' are not", async () => {
    await using container = new Supervised(["/bin/sh", "-c", `exec ${GREEDY}`], { cgroup });
    const { exitCode, signal, oomKilled, oomKills } = await container.ended;
    assert.deepEqual(
      { exitCode, signal, oomKilled, oomKills },
      {
        exitCode: null,
        signal: 9,
        oomKilled: true,
        oomKills: 1,
      },
    );
    assert.deepEqual(statuses(container), ["oom", "died"]);
  });

  it("is not what every end is", async () => {
    await using container = new Supervised(["/bin/true"], { cgroup });
    const { oomKilled, oomKills } = await container.ended;
    assert.deepEqual({ oomKilled, oomKills }, { oomKilled: false, oomKills: 0 });
    assert.deepEqual(statuses(container), ["died"]);
  });
});

function statuses(container: Supervised): unknown[] {
  return container.journal().map(({ status }) => status);
}

async function waitForEvent(container: Supervised, status: string): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    try {
      if (statuses(container).includes(status)) return;
    } catch {
      // no journal yet: it is made with its first line
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`no event "${status}"`);
}
