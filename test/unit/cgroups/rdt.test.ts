import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planRdt, type RdtFacts } from "../../../src/cgroups/index.ts";
import { type PlannedOp, SlotAllocator } from "../../../src/plan/index.ts";
import type { OciIntelRdt } from "../../../src/spec/index.ts";

const FACTS: RdtFacts = { mountPoint: "/sys/fs/resctrl", schemata: undefined };

function plan(rdt: OciIntelRdt, facts: Partial<RdtFacts> = {}) {
  const input = { id: "box", facts: { ...FACTS, ...facts }, slots: new SlotAllocator() };
  const { host, child, teardown } = planRdt(rdt, input);
  return { host: host.map(words), child: child.map(words), teardown: teardown.map(words) };
}

function words({ op }: PlannedOp): string {
  if (op.kind === "writeFile") return `write ${op.path} ${JSON.stringify(op.data)}`;
  return "path" in op ? `${op.kind} ${op.path}` : op.kind;
}

describe("planRdt", () => {
  it("makes a group of the container's name, writes both schemas as one, and joins it", () => {
    assert.deepEqual(plan({ l3CacheSchema: "L3:0=7f0\nMB:0=90", memBwSchema: "MB:0=20" }), {
      host: [
        "mkdir /sys/fs/resctrl/box",
        "open /sys/fs/resctrl/box",
        'write schemata "L3:0=7f0\\nMB:0=20\\n"',
      ],
      child: ['write tasks "0"'],
      teardown: ["rmdir /sys/fs/resctrl/box"],
    });
  });

  it("joins a class of service that is there, and removes it for nobody", () => {
    const there = { schemata: "    MB:0=20;1=70\n    L3:0=7f0;1=1f\n" };
    assert.deepEqual(plan({ closID: "gold", l3CacheSchema: "L3:0=07f0;1=1f" }, there), {
      host: ["open /sys/fs/resctrl/gold"],
      child: ['write tasks "0"'],
      teardown: [],
    });
    assert.deepEqual(plan({ closID: "gold", schemata: ["L3:0=1"] }, there).host, [
      "open /sys/fs/resctrl/gold",
      'write schemata "L3:0=1\\n"',
    ]);
  });

  it("measures the container in a group of its own", () => {
    const { host, child, teardown } = plan({ enableMonitoring: true });
    assert.ok(host.includes("mkdir /sys/fs/resctrl/box/mon_groups/box"));
    assert.equal(child.length, 2);
    assert.deepEqual(teardown, [
      "rmdir /sys/fs/resctrl/box/mon_groups/box",
      "rmdir /sys/fs/resctrl/box",
    ]);
  });

  for (const [what, rdt, facts, expected] of [
    ["a machine without it", {}, { mountPoint: undefined }, { code: "UNSUPPORTED" }],
    ["a class that is not there", { closID: "x" }, {}, { origin: "linux.intelRdt.closID" }],
    ["a path for a class", { closID: "../x" }, {}, { origin: "linux.intelRdt.closID" }],
    ["resctrl's own names", { closID: "info" }, {}, { origin: "linux.intelRdt.closID" }],
    [
      "a bandwidth of two lines",
      { memBwSchema: "MB:0=1\nL3:0=1" },
      {},
      { origin: "linux.intelRdt.memBwSchema" },
    ],
    [
      "another schema than the class has",
      { closID: "x", l3CacheSchema: "L3:0=1" },
      { schemata: "L3:0=2\n" },
      { origin: "linux.intelRdt" },
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => plan(rdt, facts), expected);
    });
  }
});
