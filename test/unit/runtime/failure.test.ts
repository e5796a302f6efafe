import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type LaunchPlan,
  type PlannedOp,
  SLOT_CWD,
  type Slot,
  type StageReport,
} from "../../../src/plan/index.ts";
import { launchError, warningText } from "../../../src/runtime/failure.ts";

function planOf(op: PlannedOp): LaunchPlan {
  return {
    ops: [op],
    cloneFlags: 0x2000_0000,
    cgroupSlot: SLOT_CWD,
    inheritedFds: 0,
    supervision: {
      daemon: false,
      dieWithParent: true,
      childDiesWithStage: true,
      holdMounts: false,
      timings: false,
    },
  };
}

function failed(error: number, opIndex = 0): StageReport {
  return { kind: "failed", opIndex, error, value: 0, timeNs: 0n, mark: undefined };
}

const EXEC: PlannedOp = {
  op: { kind: "exec", lists: { argv: ["prog", "x"], env: [], candidates: ["/bin/prog"] } },
  phase: "child",
  origin: "process.args",
};

describe("launchError", () => {
  it("names the request, the field it came from and the reason", () => {
    const mount: PlannedOp = {
      op: {
        kind: "mount",
        source: "tmpfs",
        fstype: "tmpfs",
        data: "",
        flags: 0,
        at: SLOT_CWD,
        target: "/data",
      },
      phase: "child",
      origin: "mounts[3]",
    };
    const error = launchError(planOf(mount), failed(13));
    assert.equal(
      error.message,
      'cannot mount tmpfs "tmpfs" on "/data" (mounts[3]): permission denied (EACCES)',
    );
    assert.equal(error.code, "LAUNCH_FAILED");
    assert.equal(error.errno, "EACCES");
  });

  it("calls a descriptor by the path in the container that it was opened for", () => {
    const [root, dev] = [0 as Slot, 1 as Slot];
    const child = (op: PlannedOp["op"]): PlannedOp => ({ op, phase: "child", origin: "mounts[1]" });
    const mount = { kind: "mount", source: "dev", fstype: "tmpfs", data: "", flags: 0 } as const;
    const plan = {
      ...planOf(EXEC),
      ops: [
        child({ kind: "open", path: "/roots/a", dir: SLOT_CWD, flags: 0, out: root }),
        child({ kind: "open", path: "dev", dir: root, flags: 0, out: dev }),
        child({ ...mount, at: dev, target: "" }),
        child({ kind: "fchdir", slot: root }),
        child({ kind: "pivotRoot", newRoot: ".", putOld: "." }),
      ],
    };
    assert.match(launchError(plan, failed(1, 2)).message, /^cannot mount tmpfs "dev" on "\/dev" /);
    assert.match(launchError(plan, failed(1, 3)).message, /^cannot enter the directory "\/" /);
  });

  for (const [errno, code] of [
    [2, "COMMAND_NOT_FOUND"],
    [20, "COMMAND_NOT_FOUND"],
    [13, "COMMAND_NOT_EXECUTABLE"],
    [8, "COMMAND_NOT_EXECUTABLE"],
    [1, "COMMAND_NOT_EXECUTABLE"],
    [12, "LAUNCH_FAILED"],
  ] as const) {
    it(`tells exec's errno ${errno} as ${code}`, () => {
      assert.equal(launchError(planOf(EXEC), failed(errno)).code, code);
    });
  }

  it("explains a clone that failed by the namespaces that were wanted", () => {
    const error = launchError(planOf(EXEC), { ...failed(28), opIndex: undefined });
    assert.match(error.hint ?? "", /max_\*_namespaces/);
  });

  it("tells a tolerated failure with the plan's own words", () => {
    const op: PlannedOp = { ...EXEC, warning: "the limit stays as it is" };
    assert.equal(
      warningText(planOf(op), failed(1)),
      "the limit stays as it is (process.args: EPERM)",
    );
  });
});
