import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  freezeCgroup,
  killCgroup,
  planCgroup,
  probeCgroups,
  readControllers,
  readDefaultParent,
  readEvents,
  readHierarchy,
  readProcs,
  readStats,
  removeCgroup,
  thawCgroup,
  updateCgroup,
  waitEmpty,
} from "../../../src/cgroups/index.ts";
import { killFrozen } from "../../../src/cgroups/kill.ts";
import { planNamespaces, readNamespaceFacts } from "../../../src/namespaces/index.ts";
import { SlotAllocator } from "../../../src/plan/index.ts";
import type { OciResources } from "../../../src/spec/index.ts";
import { type PlanParts, type RunningPlan, shell, startPlan } from "../../support/run-plan.ts";

const { mountPoint } = readHierarchy();
const PARENT = `/tsrun-test-${process.pid}`;
const DENY_ALL = { devices: [{ allow: false }] };
let count = 0;

interface TestCgroup extends PlanParts {
  readonly path: string;
  readonly directory: string;
}

/** A container's cgroup below this test's own. */
function cgroup(
  resources: OciResources = {},
  path = `${PARENT}/box${count++}`,
  owner?: { uid: number; gid: number; files: readonly string[] },
): TestCgroup {
  const facts = probeCgroups(path);
  const slots = new SlotAllocator();
  const plan = planCgroup({ facts, resources, slots, ...(owner ? { owner } : {}) });
  const { host, teardown, cgroupSlot, directory } = plan;
  return { ops: [...host, ...teardown], cgroupSlot, path, directory };
}

function file(directory: string, name: string): string {
  return readFileSync(`${directory}/${name}`, "utf8").trim();
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    assert.ok(tries < 500, "it did not happen within 5 s");
    await sleep(10);
  }
}

before(() => mkdirSync(`${mountPoint}${PARENT}`));
after(() => removeCgroup(`${mountPoint}${PARENT}`));

describe("a launch into its own cgroup", () => {
  it("is in it from the first instruction, and takes it away at the end", async () => {
    const box = cgroup();
    assert.match(await shell(box, "grep ^0: /proc/self/cgroup"), new RegExp(`^0::${box.path}$`));
    assert.ok(!existsSync(box.directory));
  });

  it("sees it as the root of its cgroup namespace", async () => {
    const box = cgroup();
    const namespaces = [{ type: "cgroup" as const }];
    const facts = readNamespaceFacts(namespaces);
    const slots = new SlotAllocator(1);
    const { host, parent, child } = planNamespaces({ linux: { namespaces }, facts, slots });
    const parts = { ...box, ops: [...(box.ops ?? []), ...host, ...parent, ...child] };
    assert.equal(await shell(parts, "grep ^0: /proc/self/cgroup"), "0::/");
  });

  it("makes the levels above, and leaves them", async () => {
    const box = cgroup({}, `${PARENT}/a/b/box`);
    assert.match(await shell(box, "grep ^0: /proc/self/cgroup"), /\/a\/b\/box$/);
    assert.ok(existsSync(`${mountPoint}${PARENT}/a/b`));
    await removeCgroup(`${mountPoint}${PARENT}/a`);
  });

  it("kills what the container left behind", async () => {
    const box = cgroup();
    assert.equal(await shell(box, "sleep 1000 >/dev/null 2>&1 & echo started"), "started");
    assert.ok(!existsSync(box.directory));
  });

  it("reuses an empty cgroup that was left frozen", async () => {
    const path = `${PARENT}/stale`;
    mkdirSync(`${mountPoint}${path}`);
    writeFileSync(`${mountPoint}${path}/cgroup.freeze`, "1");
    assert.equal(await shell(cgroup({}, path), "echo alive"), "alive");
  });

  it("refuses a cgroup in use, and does not touch its processes", async () => {
    const path = `${PARENT}/shared`;
    const late = cgroup({}, path); // planned before the other one exists
    const first = await startPlan(cgroup({}, path), ["/bin/sleep", "1000"]);
    try {
      assert.throws(() => cgroup({}, path), { code: "INVALID_SPEC", message: /holds processes/ });
      await assert.rejects(shell(late, "true"), { code: "LAUNCH_FAILED", errno: "EEXIST" });
      assert.deepEqual(readProcs(late.directory), [first.pid]);
    } finally {
      process.kill(first.pid, "SIGKILL");
      await first.end();
    }
  });

  it("removes what it made when a later request fails", async () => {
    const box = cgroup({ unified: { "cgroup.max.depth": "nonsense" } });
    await assert.rejects(shell(box, "true"), {
      code: "LAUNCH_FAILED",
      origin: 'linux.resources.unified["cgroup.max.depth"]',
      errno: "EINVAL",
    });
    assert.ok(!existsSync(box.directory));
  });

  it("gives the cgroup to a user who may divide it", async () => {
    const files = readFileSync("/sys/kernel/cgroup/delegate", "utf8").trim().split("\n");
    const box = cgroup({}, undefined, { uid: 1234, gid: 5678, files });
    const running = await startPlan(box, ["/bin/sleep", "1000"]);
    try {
      for (const name of ["", "/cgroup.procs", "/cgroup.subtree_control"]) {
        const { uid, gid } = statSync(`${box.directory}${name}`);
        assert.deepEqual([uid, gid], [1234, 5678]);
      }
      assert.equal(statSync(`${box.directory}/cgroup.freeze`).uid, 0);
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });
});

describe("limits on this machine", () => {
  it("writes what there is a controller for", async (t) => {
    if (!readControllers().includes("hugetlb")) return t.skip("needs the hugetlb controller");
    const box = cgroup({ hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }] });
    const running = await startPlan(box, ["/bin/sleep", "1000"]);
    try {
      assert.equal(file(box.directory, "hugetlb.2MB.max"), String(4 << 20));
      assert.equal(file(box.directory, "hugetlb.2MB.rsvd.max"), String(4 << 20));
      assert.deepEqual(readStats(box.directory)?.hugetlb?.["2MB"], {
        ...{ currentBytes: 0, limitBytes: 4 << 20, failures: 0 },
      });
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });

  it("names a page size that the machine does not have", async (t) => {
    if (!readControllers().includes("hugetlb")) return t.skip("needs the hugetlb controller");
    const box = cgroup({ hugepageLimits: [{ pageSize: "3MB", limit: 0 }] });
    await assert.rejects(shell(box, "true"), {
      code: "LAUNCH_FAILED",
      origin: "linux.resources.hugepageLimits[0]",
    });
  });

  it("names the controller that is not there", (t) => {
    if (readControllers().includes("memory")) return t.skip("this machine has all controllers");
    assert.throws(() => cgroup({ memory: { limit: 1 << 20 } }), {
      code: "CGROUP_UNAVAILABLE",
      origin: "linux.resources.memory.limit",
      message: /needs the memory controller/,
    });
  });
});

describe("the device filter", () => {
  const open = (path: string) => `(: < ${path}) 2>/dev/null && echo yes || echo no`;

  it("allows what OCI promises and denies the rest", async () => {
    const script = [open("/dev/null"), open("/dev/urandom"), open("/dev/kmsg")].join("; ");
    assert.equal(await shell(cgroup(), script), "yes\nyes\nyes");
    assert.equal(await shell(cgroup(DENY_ALL), script), "yes\nyes\nno");
  });

  it("tells reading from writing", async () => {
    const kmsg = { allow: true, type: "c", major: 1, minor: 11, access: "r" } as const;
    const script = `${open("/dev/kmsg")}; (: >> /dev/kmsg) 2>/dev/null && echo yes || echo no`;
    const box = cgroup({ devices: [{ allow: false }, kmsg] });
    assert.equal(await shell(box, script), "yes\nno");
  });

  it("takes hundreds of rules", async () => {
    const rules = Array.from({ length: 400 }, (_, minor) => {
      return { allow: minor % 2 === 0, type: "b", major: 7, minor, access: "rw" } as const;
    });
    const box = cgroup({ devices: [{ allow: false }, ...rules] });
    assert.equal(await shell(box, open("/dev/kmsg")), "no");
  });

  it("can be exchanged and lifted while the container runs", async () => {
    const box = cgroup(DENY_ALL);
    const script = `while :; do ${open("/dev/kmsg")}; sleep 0.02; done > "$1"`;
    const log = `/tmp/tsrun-test-devices-${process.pid}`;
    const running = await startPlan(box, ["/bin/sh", "-c", script, "sh", log]);
    const says = (word: string) => () => {
      writeFileSync(log, "");
      return until(() => readFileSync(log, "utf8").replaceAll("\0", "").trim().endsWith(word));
    };
    try {
      await says("no")();
      const kmsg = { allow: true, type: "c", major: 1, minor: 11, access: "rwm" } as const;
      updateCgroup(box.directory, { devices: [{ allow: false }, kmsg] });
      await says("yes")();
      updateCgroup(box.directory, DENY_ALL);
      await says("no")();
      updateCgroup(box.directory, { devices: [{ allow: true }] });
      await says("yes")();
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
      rmSync(log);
    }
  });
});

describe("a running container's cgroup", () => {
  let running: RunningPlan | undefined;

  async function start(script: string): Promise<TestCgroup> {
    const box = cgroup();
    running = await startPlan(box, ["/bin/sh", "-c", script]);
    return box;
  }

  afterEach(async () => {
    if (!running) return;
    await running.end();
    running = undefined;
  });

  it("freezes, thaws and tells so", async () => {
    const { directory } = await start("while :; do :; done");
    const usage = () => readStats(directory)?.cpu?.usageMicros ?? assert.fail("no cpu.stat");
    await freezeCgroup(directory);
    assert.deepEqual(readEvents(directory), { populated: true, frozen: true });
    const frozenAt = usage();
    await sleep(50);
    assert.equal(usage(), frozenAt);
    thawCgroup(directory);
    await until(() => usage() > frozenAt);
    await killCgroup(directory);
  });

  it("dies at once though it forks as fast as it can, frozen or not", async () => {
    const { directory } = await start("while :; do (sleep 1000; :) & sleep 0.01; done");
    await until(() => readProcs(directory).length > 20);
    await freezeCgroup(directory);
    await killCgroup(directory);
    await waitEmpty(directory);
    assert.equal(readEvents(directory)?.populated ?? false, false);
  });

  it("dies without cgroup.kill as well", async () => {
    const { directory } = await start("while :; do (sleep 1000; :) & sleep 0.01; done");
    mkdirSync(`${directory}/inner`);
    await until(() => readProcs(directory).length > 20);
    await killFrozen(directory);
    await waitEmpty(directory);
    await running?.end();
    running = undefined;
    await removeCgroup(directory); // the launch leaves what has children
  });

  it("says in time that processes do not exit", async () => {
    const { directory } = await start("sleep 1000");
    await assert.rejects(waitEmpty(directory, { timeoutMs: 20 }), { code: "TIMEOUT" });
    await assert.rejects(waitEmpty(directory, { signal: AbortSignal.abort() }), {
      code: "ABORTED",
    });
    await assert.rejects(removeCgroup(directory, { timeoutMs: 20 }), {
      code: "WRONG_STATE",
      hint: /These processes are in it: \d+/,
    });
    await killCgroup(directory);
  });

  it("counts what there is and leaves out what there is not", async () => {
    const { directory } = await start("sleep 1000");
    const stats = readStats(directory);
    assert.ok(stats?.cpu);
    const controllers = file(directory, "cgroup.controllers").split(" ");
    for (const [part, controller] of [
      [stats.memory, "memory"],
      [stats.io, "io"],
      [stats.pids, "pids"],
      [stats.cpu.throttling, "cpu"],
      [stats.hugetlb, "hugetlb"],
    ] as const) {
      assert.equal(part !== undefined, controllers.includes(controller), controller);
    }
    assert.equal(typeof stats.pressure.cpu?.some.totalMicros, "number");
    await killCgroup(directory);
  });

  it("refuses a limit that it has no controller for, and a cgroup that is gone", async (t) => {
    const { directory } = await start("sleep 1000");
    const missing = file(directory, "cgroup.controllers").includes("pids");
    if (!missing) {
      assert.throws(() => updateCgroup(directory, { pids: { limit: 5 } }), {
        code: "CGROUP_UNAVAILABLE",
        origin: "linux.resources.pids.limit",
      });
    } else t.diagnostic("this machine has the pids controller");
    await killCgroup(directory);
    await running?.end();
    running = undefined;
    assert.throws(() => updateCgroup(directory, {}), { code: "NOT_FOUND" });
    assert.equal(readStats(directory), undefined);
    await assert.rejects(freezeCgroup(directory), { code: "NOT_FOUND" });
    await killCgroup(directory);
    await waitEmpty(directory);
    await removeCgroup(directory);
  });
});

describe("updateCgroup", () => {
  it("puts back what it has written when a later limit is refused", async (t) => {
    if (!readControllers().includes("hugetlb")) return t.skip("needs the hugetlb controller");
    const box = cgroup({
      hugepageLimits: [{ pageSize: "2MB", limit: 8 << 20 }],
      unified: { "cgroup.max.depth": "7" },
    });
    const running = await startPlan(box, ["/bin/sleep", "1000"]);
    try {
      const unified = { "cgroup.max.depth": "3", "cgroup.max.descendants": "nonsense" };
      const hugepageLimits = [{ pageSize: "2MB", limit: 0 }];
      assert.throws(() => updateCgroup(box.directory, { hugepageLimits, unified }), {
        code: "INVALID_SPEC",
        origin: 'linux.resources.unified["cgroup.max.descendants"]',
        errno: "EINVAL",
      });
      assert.equal(file(box.directory, "hugetlb.2MB.max"), String(8 << 20));
      assert.equal(file(box.directory, "cgroup.max.depth"), "7");
      updateCgroup(box.directory, { hugepageLimits });
      assert.equal(file(box.directory, "hugetlb.2MB.max"), "0");
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });
});

describe("removeCgroup", () => {
  it("removes a whole tree and waits for killed processes", async () => {
    const directory = `${mountPoint}${PARENT}/tree`;
    mkdirSync(`${directory}/a/b/c`, { recursive: true });
    mkdirSync(`${directory}/d`);
    const child = spawn("/bin/sleep", ["1000"]);
    writeFileSync(`${directory}/a/b/cgroup.procs`, String(child.pid));
    assert.deepEqual(readProcs(directory), []);
    assert.deepEqual(readProcs(directory, { recursive: true }), [child.pid]);
    await killCgroup(directory);
    await removeCgroup(directory);
    assert.ok(!existsSync(directory));
  });
});

describe("probeCgroups", () => {
  it("sees the levels that exist, and processes in them", () => {
    const directory = `${mountPoint}${PARENT}/probe`;
    mkdirSync(directory);
    try {
      const { levels, writable, path } = probeCgroups(`${PARENT}/probe/x/y`);
      assert.equal(path, `${PARENT}/probe/x/y`);
      assert.equal(writable, true);
      assert.deepEqual(
        levels.map((level) => [level.path, level.type, level.occupied]),
        [
          ["/", undefined, false],
          [PARENT, "domain", false],
          [`${PARENT}/probe`, "domain", false],
        ],
      );
    } finally {
      rmdirSync(directory);
    }
  });

  it("puts containers below /tsrun where that is possible", () => {
    assert.equal(readDefaultParent(), "/tsrun");
  });
});
