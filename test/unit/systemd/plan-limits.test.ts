import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planValues } from "../../../src/cgroups/index.ts";
import type { OciResources } from "../../../src/spec/index.ts";
import { planLimits } from "../../../src/systemd/index.ts";

const INFINITY = 2n ** 64n - 1n;

function plan(resources: OciResources, version = 252): Record<string, unknown> {
  const limits = planLimits(planValues(resources), { version });
  return Object.fromEntries(limits.map(({ name, value }) => [name, value]));
}

describe("planLimits", () => {
  it("has a property for each limit that systemd knows", () => {
    assert.deepEqual(
      plan({
        memory: { limit: 512, reservation: 256, swap: 1024 },
        cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: "0,8-9", mems: "0" },
        pids: { limit: 7 },
        blockIO: {
          weight: 100,
          weightDevice: [{ major: 8, minor: 0, weight: 10 }],
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }],
          throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 0 }],
        },
      }),
      {
        MemoryMax: 512n,
        MemoryLow: 256n,
        MemorySwapMax: 512n,
        CPUWeight: 100n,
        CPUQuotaPeriodUSec: 100_000n,
        CPUQuotaPerSecUSec: 500_000n,
        AllowedCPUs: new Uint8Array([1, 3]),
        AllowedMemoryNodes: new Uint8Array([1]),
        TasksMax: 7n,
        IOWeight: 910n,
        IODeviceWeight: [["/dev/block/8:0", 1n]],
        IOReadBandwidthMax: [["/dev/block/8:0", 1000n]],
        IOWriteIOPSMax: [["/dev/block/8:16", INFINITY]],
      },
    );
  });

  it("has no limit as infinity", () => {
    assert.deepEqual(plan({ memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } }), {
      MemoryMax: INFINITY,
      MemorySwapMax: INFINITY,
      TasksMax: INFINITY,
      CPUQuotaPerSecUSec: INFINITY,
    });
  });

  it("rounds a quota up to whole percents", () => {
    const { CPUQuotaPerSecUSec } = plan({ cpu: { quota: 1001, period: 100_000 } });
    assert.equal(CPUQuotaPerSecUSec, 20_000n);
  });

  it("takes the period that the kernel begins with where there is none", () => {
    assert.deepEqual(plan({ cpu: { quota: 20_000 } }), { CPUQuotaPerSecUSec: 200_000n });
  });

  it("says idle by the weight, from systemd 252 on", () => {
    assert.deepEqual(plan({ cpu: { shares: 1024, idle: 1 } }), { CPUWeight: 0n });
    assert.deepEqual(plan({ cpu: { shares: 262_144, idle: 0 } }), { CPUWeight: 10_000n });
    assert.deepEqual(plan({ cpu: { idle: 0 } }), { CPUWeight: 100n });
    assert.deepEqual(plan({ cpu: { shares: 1024, idle: 1 } }, 251), { CPUWeight: 100n });
  });

  it("takes unified limits as the kernel reads them, which come last and win", () => {
    assert.deepEqual(
      plan({
        memory: { limit: 512 },
        unified: {
          "memory.max": "1M",
          "memory.high": "max",
          "memory.min": "2k",
          "cpu.max": "max 5000",
          "io.weight": "default 50",
          "memory.oom.group": "1",
          "memory.low": "much",
        },
      }),
      {
        MemoryMax: 1_048_576n,
        MemoryHigh: INFINITY,
        MemoryMin: 2048n,
        CPUQuotaPeriodUSec: 5000n,
        CPUQuotaPerSecUSec: INFINITY,
        IOWeight: 50n,
      },
    );
  });

  it("has all devices of one limit in one property", () => {
    const { IOReadBandwidthMax } = plan({
      blockIO: {
        throttleReadBpsDevice: [
          { major: 8, minor: 0, rate: 1 },
          { major: 8, minor: 16, rate: 2 },
        ],
      },
    });
    assert.deepEqual(IOReadBandwidthMax, [
      ["/dev/block/8:0", 1n],
      ["/dev/block/8:16", 2n],
    ]);
  });
});
