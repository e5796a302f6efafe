/** Limits that the kernel really enforces. It needs every controller, so it runs in the test VM. */
import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  planCgroup,
  probeCgroups,
  readHierarchy,
  readOomKills,
  readProcs,
  readStats,
  removeCgroup,
  updateCgroup,
} from "../../../src/cgroups/index.ts";
import { SlotAllocator } from "../../../src/plan/index.ts";
import type { OciResources } from "../../../src/spec/index.ts";
import { type RunningPlan, startPlan } from "../../support/run-plan.ts";

const MIB = 1 << 20;
const PARENT = `/tsrun-test-${process.pid}`;
const { mountPoint } = readHierarchy();
let count = 0;

after(() => removeCgroup(`${mountPoint}${PARENT}`));

interface Box extends RunningPlan {
  readonly directory: string;
  readonly read: (file: string) => string;
}

/** Runs a shell script under these limits while `use` looks on, then kills it. */
async function limited(
  resources: OciResources,
  script: string,
  use: (box: Box) => Promise<void> | void,
): Promise<void> {
  const facts = probeCgroups(`${PARENT}/box${count++}`);
  const plan = planCgroup({ facts, resources, slots: new SlotAllocator() });
  const { host, teardown, cgroupSlot, directory } = plan;
  const parts = { ops: [...host, ...teardown], cgroupSlot };
  const running = await startPlan(parts, ["/bin/sh", "-c", script]);
  const read = (file: string) => readFileSync(`${directory}/${file}`, "utf8").trim();
  try {
    await use({ ...running, directory, read });
  } finally {
    process.kill(running.pid, "SIGKILL");
    await running.end();
  }
  assert.ok(!existsSync(directory));
}

function unreached(): never {
  return assert.fail("the launch should have been refused");
}

/** Fails unless it happens within a minute: the VM's processor is emulated. */
async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    assert.ok(tries < 600, "it did not happen within a minute");
    await sleep(100);
  }
}

describe("memory", () => {
  it("kills what exceeds the limit, and counts it", async () => {
    const memory = { limit: 32 * MIB, swap: 32 * MIB };
    await limited({ memory }, "tail /dev/zero; sleep 1000", async ({ directory, read }) => {
      assert.equal(read("memory.max"), String(32 * MIB));
      assert.equal(read("memory.swap.max"), "0");
      await until(() => (readOomKills(directory) ?? 0) > 0);
      const stats = readStats(directory)?.memory;
      assert.equal(stats?.limitBytes, 32 * MIB);
      assert.equal(stats.events.oomKill, 1);
      const peak = stats.peakBytes ?? assert.fail("no memory.peak");
      assert.ok(peak > 30 * MIB && peak <= 32 * MIB, `${peak}`);
      assert.ok(stats.currentBytes < 30 * MIB);
      assert.ok((stats.stat.get("kernel") ?? 0) > 0);
    });
  });

  it("protects and throttles", async () => {
    const resources = {
      memory: { limit: -1, reservation: 8 * MIB },
      unified: { "memory.high": "16M" },
    };
    await limited(resources, "tail /dev/zero", async ({ directory, read }) => {
      assert.equal(read("memory.low"), String(8 * MIB));
      assert.equal(read("memory.max"), "max");
      await until(() => (readStats(directory)?.memory?.events.high ?? 0) > 0);
    });
  });
});

describe("cpu", () => {
  it("gives no more than the quota", async () => {
    const cpu = { quota: 20_000, period: 100_000, burst: 1000 };
    await limited({ cpu }, "while :; do :; done", async ({ directory, read }) => {
      assert.equal(read("cpu.max"), "20000 100000");
      assert.equal(read("cpu.max.burst"), "1000");
      const usage = () => readStats(directory)?.cpu ?? assert.fail("no cpu.stat");
      await until(() => usage().usageMicros > 0);
      const [first, startedAt] = [usage(), performance.now()];
      await sleep(3000);
      const [last, seconds] = [usage(), (performance.now() - startedAt) / 1000];
      const share = (last.usageMicros - first.usageMicros) / 1e6 / seconds;
      assert.ok(share > 0.05 && share < 0.3, `${share} of a CPU`);
      const throttling = last.throttling ?? assert.fail("no throttling");
      assert.ok(throttling.throttledPeriods > 5 && throttling.throttledMicros > 100_000);
    });
  });

  it("weighs", async () => {
    await limited({ cpu: { shares: 2048 } }, "sleep 1000", ({ read }) => {
      assert.equal(read("cpu.weight"), "174");
      assert.equal(read("cpu.idle"), "0");
    });
    await limited({ cpu: { shares: 512, idle: 1 } }, "sleep 1000", ({ read }) => {
      assert.equal(read("cpu.idle"), "1");
    });
  });

  it("pins to CPUs and nodes", async () => {
    const resources = { cpu: { cpus: "1", mems: "0" } };
    await limited(resources, "sleep 1000", ({ pid, read }) => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      assert.match(status, /^Cpus_allowed_list:\t1$/m);
      assert.match(status, /^Mems_allowed_list:\t0$/m);
      assert.equal(read("cpuset.cpus"), "1");
    });
    await assert.rejects(limited({ cpu: { cpus: "0-7" } }, "true", unreached), {
      code: "INVALID_SPEC",
      origin: "linux.resources.cpu.cpus",
      message: /this system has 0-1/,
    });
  });
});

describe("pids", () => {
  it("stops a container that forks without end", async () => {
    // A shell that cannot fork gives up; the outer one does not need to.
    const script = "(while :; do (sleep 1000; :) & done) 2>/dev/null; while :; do :; done";
    await limited({ pids: { limit: 16 } }, script, async ({ directory, read }) => {
      await until(() => /^max [1-9]/.test(read("pids.events")));
      const pids = readStats(directory)?.pids;
      assert.equal(pids?.limit, 16);
      assert.ok(pids.current <= 16 && (pids.peak ?? 16) === 16);
      assert.ok(readProcs(directory).length <= 16);
    });
  });
});

describe("io", () => {
  const DISK = "/dev/vda";
  const device = () => {
    const { rdev } = statSync(DISK);
    return { major: rdev >> 8, minor: rdev & 0xff };
  };

  it("writes no faster than allowed", async (t) => {
    if (!existsSync(DISK)) return t.skip(`needs a disk ${DISK}`);
    const file = `/run/scratch/tsrun-test-io-${process.pid}`;
    const blockIO = { throttleWriteBpsDevice: [{ ...device(), rate: MIB }] };
    const script = `dd if=/dev/zero of=${file} bs=256k count=16 oflag=direct; sleep 1000`;
    try {
      await limited({ blockIO }, script, async ({ directory, read }) => {
        const { major, minor } = device();
        assert.match(read("io.max"), new RegExp(`^${major}:${minor} rbps=max wbps=${MIB} `));
        const startedAt = performance.now();
        const written = () =>
          readStats(directory)?.io?.find((disk) => disk.major === major)?.writeBytes ?? 0;
        await until(() => written() >= 4 * MIB);
        const seconds = (performance.now() - startedAt) / 1000;
        assert.ok(seconds > 2, `4 MiB at 1 MiB/s in ${seconds} s`);
      });
    } finally {
      rmSync(file, { force: true });
    }
  });

  it("weighs with the scheduler that is there", async () => {
    await limited({ blockIO: { weight: 500 } }, "sleep 1000", ({ read }) => {
      assert.equal(read("io.weight"), "default 4950");
    });
  });

  it("weighs a device whose cost model is on, and says so where it is off", async () => {
    const { major, minor } = device();
    const switchCostModel = (enable: 0 | 1) =>
      writeFileSync(`${mountPoint}/io.cost.qos`, `${major}:${minor} enable=${enable}`);
    const blockIO = { weightDevice: [{ major, minor, weight: 10 }] };
    await assert.rejects(limited({ blockIO }, "true", unreached), {
      code: "LAUNCH_FAILED",
      errno: "EOPNOTSUPP",
      hint: /io.cost.qos/,
    });
    switchCostModel(1);
    try {
      await limited({ blockIO }, "sleep 1000", ({ read }) => {
        assert.deepEqual(read("io.weight").split("\n"), ["default 100", `${major}:${minor} 1`]);
      });
    } finally {
      switchCostModel(0);
    }
  });

  it("says what is wrong with a device that does not exist", async () => {
    const blockIO = { throttleReadIOPSDevice: [{ major: 250, minor: 77, rate: 5 }] };
    await assert.rejects(limited({ blockIO }, "true", unreached), {
      code: "LAUNCH_FAILED",
      errno: "ENODEV",
      origin: "linux.resources.blockIO.throttleReadIOPSDevice[0]",
    });
  });
});

describe("other controllers", () => {
  it("limits huge pages, and what unified names", async () => {
    const resources = {
      hugepageLimits: [{ pageSize: "2MB", limit: 2 * MIB }],
      unified: { "memory.oom.group": "1", "cgroup.max.descendants": "3" },
    };
    await limited(resources, "sleep 1000", ({ read }) => {
      assert.equal(read("hugetlb.2MB.max"), String(2 * MIB));
      assert.equal(read("hugetlb.2MB.rsvd.max"), String(2 * MIB));
      assert.equal(read("memory.oom.group"), "1");
      assert.equal(read("cgroup.max.descendants"), "3");
    });
  });

  it("counts everything without any limit", async () => {
    await limited({}, "sleep 1000", ({ directory }) => {
      const stats = readStats(directory);
      assert.ok(stats?.cpu?.throttling && stats.memory && stats.pids && stats.io && stats.swap);
      assert.equal(stats.memory.limitBytes, "max");
      assert.equal(stats.pids.current, 1);
      assert.equal(stats.pids.limit, "max");
      assert.ok(stats.pressure.memory?.full);
    });
  });
});

describe("updateCgroup", () => {
  it("changes what is given, at once, and leaves the rest", async () => {
    const resources = {
      memory: { limit: 64 * MIB, swap: 96 * MIB },
      cpu: { quota: 50_000, period: 50_000, burst: 20_000 },
      pids: { limit: 8 },
    };
    await limited(resources, "sleep 1000", ({ directory, read }) => {
      updateCgroup(directory, {
        memory: { limit: 32 * MIB, reservation: MIB },
        cpu: { quota: 10_000, burst: 5000 },
        pids: { limit: -1 },
      });
      assert.equal(read("memory.max"), String(32 * MIB));
      assert.equal(read("memory.swap.max"), String(32 * MIB));
      assert.equal(read("cpu.max"), "10000 50000");
      assert.equal(read("cpu.max.burst"), "5000");
      assert.equal(read("pids.max"), "max");
      updateCgroup(directory, { memory: { swap: 48 * MIB }, cpu: { period: 40_000 } });
      assert.equal(read("memory.max"), String(32 * MIB));
      assert.equal(read("memory.swap.max"), String(16 * MIB));
      assert.equal(read("cpu.max"), "10000 40000");
    });
  });

  it("puts everything back when the kernel refuses one", async () => {
    const resources = { memory: { limit: 64 * MIB }, pids: { limit: 8 }, cpu: { shares: 1024 } };
    await limited(resources, "sleep 1000", ({ directory, read }) => {
      const files = ["memory.max", "pids.max", "cpu.weight", "cpuset.cpus.effective", "io.max"];
      const before = files.map(read);
      const throttleReadBpsDevice = [{ major: 250, minor: 77, rate: 5 }];
      const change = () =>
        updateCgroup(directory, {
          memory: { limit: 32 * MIB },
          pids: { limit: 5 },
          cpu: { shares: 2, cpus: "0" },
          blockIO: { throttleReadBpsDevice },
        });
      assert.throws(change, {
        code: "INVALID_SPEC",
        errno: "ENODEV",
        origin: "linux.resources.blockIO.throttleReadBpsDevice[0]",
      });
      assert.deepEqual(files.map(read), before);
    });
  });

  it("refuses CPUs that there are not", async () => {
    await limited({}, "sleep 1000", ({ directory, read }) => {
      assert.throws(() => updateCgroup(directory, { cpu: { cpus: "0-5" } }), {
        code: "INVALID_SPEC",
        message: /this system has 0-1/,
      });
      updateCgroup(directory, { cpu: { cpus: "0" } });
      assert.equal(read("cpuset.cpus.effective"), "0");
    });
  });

  it("refuses, when asked to check, a limit below what is in use", async () => {
    const file = `/run/tsrun-test-memory-${process.pid}`;
    const fd = openSync(file, "w");
    try {
      writeSync(fd, Buffer.alloc(8 * MIB));
      // What the container keeps in a tmpfs is charged to it, and cannot be reclaimed.
      const script = `cat ${file} > ${file}.copy; sleep 1000`;
      await limited({ memory: { limit: 64 * MIB } }, script, async ({ directory, read }) => {
        await until(() => Number(read("memory.current")) > 8 * MIB);
        const memory = { limit: 4 * MIB, checkBeforeUpdate: true };
        assert.throws(() => updateCgroup(directory, { memory }), {
          code: "INVALID_SPEC",
          message: /4194304 bytes are less than the \d+ in use/,
        });
        assert.equal(read("memory.max"), String(64 * MIB));
      });
    } finally {
      closeSync(fd);
      rmSync(file, { force: true });
      rmSync(`${file}.copy`, { force: true });
    }
  });
});
