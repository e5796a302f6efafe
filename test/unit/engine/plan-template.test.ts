import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeFromTemplate } from "../../../src/engine/plan-template.ts";
import type { ContainerId } from "../../../src/engine/records.ts";
import { encodePlan, type LaunchPlan, type RelayPlan, type Slot } from "../../../src/plan/index.ts";

const FIRST = "1a".repeat(32) as ContainerId;
const SECOND = "2b".repeat(32) as ContainerId;

function relayOf(id: string): RelayPlan {
  return {
    ...{ tty: false, rows: 0, cols: 0, stdin: "closed", firstClient: true, exitDrainMs: 1 },
    exitRecordPath: `/containers/${id}/exit.json`,
  };
}

function planOf(id: string, command = "true"): LaunchPlan {
  const lists = { argv: [command], env: [`HOSTNAME=${id.slice(0, 12)}`], candidates: [command] };
  return {
    ops: [
      { op: { kind: "mkdir", path: `/cgroup/${id}`, mode: 0o755 }, phase: "host", origin: "a" },
      { op: { kind: "sethostname", name: id.slice(0, 12) }, phase: "child", origin: "b" },
      { op: { kind: "exec", lists }, phase: "child", origin: "c" },
    ],
    ...{ cloneFlags: 0, cgroupSlot: 0 as Slot, inheritedFds: 0 },
    supervision: {
      ...{ daemon: true, dieWithParent: false, childDiesWithStage: true, holdMounts: true },
      ...{ timings: false, relay: relayOf(id) },
    },
  };
}

function encode(id: ContainerId, command: string, compile: () => LaunchPlan) {
  const inputs = [{ id, short: id.slice(0, 12), command }];
  return encodeFromTemplate(id, { inputs, relay: relayOf(id) }, compile);
}

describe("the template of a plan", () => {
  it("gives the next container of the same request the bytes of its own plan, uncompiled", () => {
    encode(FIRST, "true", () => planOf(FIRST));
    const { bytes } = encode(SECOND, "true", () => assert.fail("it was compiled"));
    assert.deepEqual(Buffer.from(bytes), Buffer.from(encodePlan(planOf(SECOND))));
  });

  it("compiles another request", () => {
    encode(FIRST, "true", () => planOf(FIRST));
    const { bytes } = encode(SECOND, "false", () => planOf(SECOND, "false"));
    assert.deepEqual(Buffer.from(bytes), Buffer.from(encodePlan(planOf(SECOND, "false"))));
  });

  it("leaves the first container's bytes as they are", () => {
    const { bytes } = encode(FIRST, "date", () => planOf(FIRST, "date"));
    encode(SECOND, "date", () => planOf(SECOND, "date"));
    assert.deepEqual(Buffer.from(bytes), Buffer.from(encodePlan(planOf(FIRST, "date"))));
  });

  it("names the container's own paths when an op fails", () => {
    encode(FIRST, "true", () => planOf(FIRST));
    const { plan } = encode(SECOND, "true", () => planOf(SECOND));
    assert.deepEqual(plan.ops, planOf(SECOND).ops);
    assert.deepEqual(plan.supervision, planOf(SECOND).supervision);
  });
});
