import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { cpuWeight } from "../../../src/cgroups/index.ts";
import { ioWeight } from "../../../src/cgroups/plan-io.ts";
import { planValues } from "../../../src/cgroups/plan-values.ts";
import type { CurrentLimits } from "../../../src/cgroups/write.ts";
import type { OciResources } from "../../../src/spec/index.ts";

const FACTS = { cpus: "0-3", mems: "0" };

/** "FILE=VALUE", in the order of the writes. */
function values(resources: OciResources, current?: CurrentLimits): readonly string[] {
  return planValues(resources, FACTS, current).map(({ file, value }) => `${file}=${value}`);
}

function refuses(resources: OciResources, origin: string, code = "INVALID_SPEC"): void {
  assert.throws(() => planValues(resources, FACTS), { code, origin: `linux.resources.${origin}` });
}

describe("memory limits", () => {
  it("writes an OCI limit of -1 as cgroup v2's max", () => {
    assert.deepEqual(values({ memory: { limit: -1, reservation: -1 } }), [
      "memory.max=max",
      "memory.low=max",
      "memory.swap.max=max",
    ]);
  });

  it("writes bytes, and the reservation as memory.low", () => {
    assert.deepEqual(values({ memory: { limit: 512 << 20, reservation: 1 << 20 } }), [
      "memory.max=536870912",
      "memory.low=1048576",
    ]);
  });

  it("takes OCI's swap as memory and swap together", () => {
    assert.deepEqual(values({ memory: { limit: 100, swap: 300 } }), [
      "memory.max=100",
      "memory.swap.max=200",
    ]);
    assert.deepEqual(values({ memory: { limit: 100, swap: 100 } }).at(-1), "memory.swap.max=0");
    assert.deepEqual(values({ memory: { limit: 100, swap: -1 } }).at(-1), "memory.swap.max=max");
  });

  it("counts with the limit that is set where an update gives only the sum", () => {
    assert.deepEqual(values({ memory: { swap: 300 } }, { memoryMaxBytes: 100 }), [
      "memory.swap.max=200",
    ]);
    refuses({ memory: { swap: 300 } }, "memory.swap");
  });

  it("does without swap accounting only where there is nothing to limit", () => {
    const swapOf = (swap: number) => planValues({ memory: { limit: 100, swap } }).at(-1)?.tolerate;
    assert.deepEqual(swapOf(100), ["ENOENT"]);
    assert.deepEqual(swapOf(-1), ["ENOENT"]);
    assert.equal(swapOf(200), undefined);
  });

  it("takes zero as not set, as engines write it", () => {
    assert.deepEqual(
      values({
        memory: {
          limit: 0,
          swap: 0,
          reservation: 0,
          kernel: 0,
          swappiness: -1,
          disableOOMKiller: false,
        },
        cpu: { shares: 0, quota: 0, period: 0, cpus: "", mems: "", realtimeRuntime: 0 },
        pids: { limit: 0 },
        blockIO: { weight: 0, leafWeight: 0, weightDevice: [{ major: 8, minor: 0, weight: 0 }] },
        network: { classID: 0, priorities: [] },
      }),
      [],
    );
  });

  it("refuses what is wrong or cannot be enforced", () => {
    refuses({ memory: { limit: 200, swap: 100 } }, "memory.swap");
    refuses({ memory: { limit: -1, swap: 100 } }, "memory.swap");
    refuses({ memory: { limit: 1.5 } }, "memory.limit");
    refuses({ memory: { limit: Number.NaN } }, "memory.limit");
    refuses({ memory: { kernel: 1 } }, "memory.kernel", "UNSUPPORTED");
    refuses({ memory: { kernelTCP: 1 } }, "memory.kernelTCP", "UNSUPPORTED");
    refuses({ memory: { swappiness: 0 } }, "memory.swappiness", "UNSUPPORTED");
    refuses({ memory: { disableOOMKiller: true } }, "memory.disableOOMKiller", "UNSUPPORTED");
  });
});

describe("cpu limits", () => {
  it("maps shares to weights at both ends and at the defaults", () => {
    assert.deepEqual([2, 1024, 262_144].map(cpuWeight), [1, 100, 10_000]);
    assert.deepEqual([0, 1, 300_000].map(cpuWeight), [1, 1, 10_000]);
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 262_143 }), (shares) => {
        const [weight, next] = [cpuWeight(shares), cpuWeight(shares + 1)];
        assert.ok(weight >= 1 && next <= 10_000 && weight <= next);
      }),
    );
  });

  it("writes bandwidth as quota and period", () => {
    const cpuMax = (cpu: OciResources["cpu"], current?: CurrentLimits) =>
      values(cpu ? { cpu } : {}, current);
    assert.deepEqual(cpuMax({ quota: 50_000, period: 100_000 }), ["cpu.max=50000 100000"]);
    assert.deepEqual(cpuMax({ quota: 50_000 }), ["cpu.max=50000"]);
    assert.deepEqual(cpuMax({ quota: -1 }), ["cpu.max=max"]);
    assert.deepEqual(cpuMax({ period: 20_000 }), ["cpu.max=max 20000"]);
    assert.deepEqual(cpuMax({ period: 20_000 }, { cpuQuota: "5000" }), ["cpu.max=5000 20000"]);
  });

  it("never lets the burst exceed the quota on the way", () => {
    const cpu = { quota: 20_000, burst: 10_000 };
    assert.deepEqual(values({ cpu }), ["cpu.max=20000", "cpu.max.burst=10000"]);
    assert.deepEqual(values({ cpu }, { cpuBurstMicros: 50_000 }), [
      "cpu.max.burst=10000",
      "cpu.max=20000",
    ]);
  });

  it("writes a weight only while the cgroup is not idle", () => {
    assert.deepEqual(values({ cpu: { shares: 1024, idle: 1 } }), ["cpu.weight=100", "cpu.idle=1"]);
    assert.deepEqual(values({ cpu: { shares: 1024, idle: 0 } }), ["cpu.idle=0", "cpu.weight=100"]);
  });

  it("pins to CPUs and memory nodes that exist", () => {
    assert.deepEqual(values({ cpu: { cpus: "0-1,3", mems: "0" } }), [
      "cpuset.cpus=0-1,3",
      "cpuset.mems=0",
    ]);
    refuses({ cpu: { cpus: "2-4" } }, "cpu.cpus");
    refuses({ cpu: { mems: "1" } }, "cpu.mems");
    refuses({ cpu: { cpus: "3-1" } }, "cpu.cpus");
    refuses({ cpu: { cpus: "a" } }, "cpu.cpus");
    assert.equal(
      planValues({ cpu: { cpus: "7" } }).length,
      1,
      "unknown CPUs are the kernel's to judge",
    );
  });

  it("refuses what is out of the kernel's range", () => {
    refuses({ cpu: { quota: 999 } }, "cpu.quota");
    refuses({ cpu: { period: 999 } }, "cpu.period");
    refuses({ cpu: { quota: 5000, period: 1_000_001 } }, "cpu.period");
    refuses({ cpu: { burst: -1 } }, "cpu.burst");
    refuses({ cpu: { idle: 2 } }, "cpu.idle");
    refuses({ cpu: { shares: -5 } }, "cpu.shares");
    refuses({ cpu: { realtimeRuntime: 1000 } }, "cpu.realtimeRuntime", "UNSUPPORTED");
  });
});

describe("io limits", () => {
  it("maps OCI's weights to io.weight's scale", () => {
    assert.deepEqual([10, 500, 1000].map(ioWeight), [1, 4950, 10_000]);
  });

  it("writes the weight to whichever scheduler is there, and fails without one", () => {
    assert.deepEqual(
      planValues({ blockIO: { weight: 500 } }).map(({ file, value, tolerate, skipOk }) => ({
        write: `${file}=${value}`,
        tolerate,
        skipOk,
      })),
      [
        { write: "io.weight=4950", tolerate: ["ENOENT"], skipOk: 1 },
        { write: "io.bfq.weight=500", tolerate: undefined, skipOk: undefined },
        { write: "io.bfq.weight=500", tolerate: ["ENOENT"], skipOk: undefined },
      ],
    );
    assert.equal(
      values({ blockIO: { weightDevice: [{ major: 8, minor: 16, weight: 10 }] } })[0],
      "io.weight=8:16 1",
    );
  });

  it("writes a device's throttles in one line", () => {
    const disk = { major: 8, minor: 0 };
    assert.deepEqual(
      values({
        blockIO: {
          throttleReadBpsDevice: [
            { ...disk, rate: 1000 },
            { major: 9, minor: 1, rate: 0 },
          ],
          throttleWriteBpsDevice: [{ ...disk, rate: 2000 }],
          throttleReadIOPSDevice: [{ ...disk, rate: 30 }],
          throttleWriteIOPSDevice: [{ ...disk, rate: 40 }],
        },
      }),
      ["io.max=8:0 rbps=1000 wbps=2000 riops=30 wiops=40", "io.max=9:1 rbps=max"],
    );
  });

  it("refuses what is wrong or v1's", () => {
    refuses({ blockIO: { weight: 5 } }, "blockIO.weight");
    refuses({ blockIO: { leafWeight: 100 } }, "blockIO.leafWeight", "UNSUPPORTED");
    const device = { major: 8, minor: 0 };
    refuses(
      { blockIO: { weightDevice: [{ ...device, weight: 1001 }] } },
      "blockIO.weightDevice[0]",
    );
    refuses(
      { blockIO: { throttleReadBpsDevice: [{ ...device, rate: -1 }] } },
      "blockIO.throttleReadBpsDevice[0]",
    );
  });
});

describe("other limits", () => {
  it("writes pids, huge pages and rdma", () => {
    assert.deepEqual(
      values({
        pids: { limit: 64 },
        hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }],
        rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: -1 }, mlx4_0: { hcaObjects: 10 } },
      }),
      [
        "pids.max=64",
        "hugetlb.2MB.max=4194304",
        "hugetlb.2MB.rsvd.max=4194304",
        "rdma.max=mlx5_1 hca_handle=3 hca_object=max",
        "rdma.max=mlx4_0 hca_object=10",
      ],
    );
    assert.deepEqual(values({ pids: { limit: -1 } }), ["pids.max=max"]);
  });

  it("writes unified values last, so that they override, and one line at a time", () => {
    assert.deepEqual(
      values({
        unified: {
          "memory.high": "1000",
          "io.max": "8:0 rbps=1\n8:16 wbps=2\n",
          "cgroup.max.depth": "2",
        },
        memory: { limit: 5 },
      }),
      [
        "memory.max=5",
        "memory.high=1000",
        "io.max=8:0 rbps=1",
        "io.max=8:16 wbps=2",
        "cgroup.max.depth=2",
      ],
    );
    const [write] = planValues({ unified: { "hugetlb.2MB.max": "0" } });
    assert.equal(write?.controller, "hugetlb");
    assert.equal(write?.origin, `linux.resources.unified["hugetlb.2MB.max"]`);
  });

  it("refuses unified names that are no limits", () => {
    const names = [
      "../memory.max",
      "memory/max",
      "memory",
      "cgroup.kill",
      "cgroup.freeze",
      "foo.max",
      "",
    ];
    for (const name of names) refuses({ unified: { [name]: "1" } }, `unified["${name}"]`);
    refuses({ unified: { "memory.max": " \n" } }, 'unified["memory.max"]');
  });

  it("refuses what only cgroup v1 had", () => {
    refuses({ network: { classID: 5 } }, "network.classID", "UNSUPPORTED");
    const priorities = [{ name: "eth0", priority: 1 }];
    refuses({ network: { priorities } }, "network.priorities", "UNSUPPORTED");
    refuses({ hugepageLimits: [{ pageSize: "2 MB", limit: 1 }] }, "hugepageLimits[0]");
    refuses({ rdma: { mlx: {} } }, 'rdma["mlx"]');
    refuses({ pids: { limit: 1.5 } }, "pids.limit");
  });
});
