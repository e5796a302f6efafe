import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { composeLimits, composeResources } from "../../../../src/engine/bundle/resources.ts";

const GIB = 2 ** 30;
const all = { controllers: new Set(["memory", "cpu", "pids", "io", "cpuset"]), swap: true };
const none = { controllers: new Set<string>(), swap: false };

describe("limits as OCI resources", () => {
  it("are a pids limit and nothing else if nothing is said", () => {
    assert.deepEqual(composeLimits({}, all), { pids: { limit: 2048 } });
  });
  it("are nothing where the host has no pids controller", () => {
    assert.deepEqual(composeLimits({}, none), {});
  });
  it("ask for pids where they were asked for, controller or not: the plan then says what is missing", () => {
    assert.deepEqual(composeLimits({ pidsLimit: 5 }, none), { pids: { limit: 5 } });
  });
  it("take 0 and -1 for no pids limit", () => {
    assert.deepEqual(composeLimits({ pidsLimit: 0 }, all).pids, { limit: -1 });
    assert.deepEqual(composeLimits({ pidsLimit: -1 }, all).pids, { limit: -1 });
  });
  it("allow as much swap as memory, where there is swap", () => {
    assert.deepEqual(composeLimits({ memoryBytes: GIB }, all).memory, {
      limit: GIB,
      swap: 2 * GIB,
    });
    assert.deepEqual(composeLimits({ memoryBytes: GIB }, none).memory, { limit: GIB });
  });
  it("pass swap on as it was asked for", () => {
    const memory = composeLimits({ memoryBytes: GIB, memorySwapBytes: -1 }, all).memory;
    assert.deepEqual(memory, { limit: GIB, swap: -1 });
  });
  it("refuse swap without memory, and less of both than of memory", () => {
    for (const limits of [
      { memorySwapBytes: GIB },
      { memoryBytes: -1, memorySwapBytes: GIB },
      { memoryBytes: 2 * GIB, memorySwapBytes: GIB },
    ]) {
      assert.throws(() => composeLimits(limits, all), { code: "INVALID_ARGUMENT" });
    }
  });
  it("count cpus in hundred milliseconds", () => {
    assert.deepEqual(composeLimits({ cpus: 1.5 }, all).cpu, { quota: 150_000, period: 100_000 });
    assert.deepEqual(composeLimits({ cpus: 0 }, all).cpu, { quota: -1, period: 100_000 });
  });
  it("write what OCI has no word for to cgroup v2's own files", () => {
    const { unified } = composeLimits({ memoryHighBytes: 5, cpuWeight: 7, ioWeight: 9 }, all);
    assert.deepEqual(unified, {
      "memory.high": "5",
      "cpu.weight": "7",
      "io.weight": "default 9",
    });
    assert.deepEqual(composeLimits({ memoryHighBytes: -1 }, all).unified, { "memory.high": "max" });
  });
  it("keep cpu lists and throttles", () => {
    const throttle = [{ major: 8, minor: 0, rate: 1 }];
    const resources = composeLimits(
      { cpusetCpus: "0-1", cpusetMems: "0", deviceReadBps: throttle, deviceWriteIops: throttle },
      all,
    );
    assert.deepEqual(resources.cpu, { cpus: "0-1", mems: "0" });
    assert.deepEqual(resources.blockIO, {
      throttleReadBpsDevice: throttle,
      throttleWriteIOPSDevice: throttle,
    });
  });
});

describe("device rules", () => {
  it("forbid everything first, then allow what was asked for", () => {
    const node = { type: "c", path: "/dev/fuse", major: 10, minor: 229 } as const;
    const { devices } = composeResources(
      {
        devices: [{ source: "/dev/fuse", target: "/dev/fuse", access: "rw", node }],
        deviceRules: [{ allow: true, type: "b", major: 7, access: "r" }],
      },
      none,
    );
    assert.deepEqual(devices, [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
      { allow: true, type: "b", major: 7, access: "r" },
    ]);
  });
  it("allow a privileged container everything", () => {
    assert.deepEqual(composeResources({ privileged: true }, none).devices, [
      { allow: true, access: "rwm" },
    ]);
  });
});
