import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  encodePlan,
  HEADER,
  HEADER_SIZE,
  type LaunchPlan,
  OP,
  OP_SIZE,
  PLAN_FLAGS,
  PLAN_MAGIC,
  type PlannedOp,
  RELAY,
  SLOT_CWD,
  type Slot,
} from "../../../src/plan/index.ts";

const slot = (index: number) => index as Slot;

function planOf(ops: readonly PlannedOp[], more: Partial<LaunchPlan> = {}): LaunchPlan {
  return {
    ops,
    cloneFlags: 0x2002_0000,
    cgroupSlot: slot(3),
    inheritedFds: 1,
    supervision: {
      daemon: false,
      dieWithParent: true,
      childDiesWithStage: true,
      holdMounts: false,
      timings: false,
    },
    ...more,
  };
}

function decode(plan: LaunchPlan) {
  const bytes = encodePlan(plan);
  const view = new DataView(bytes.buffer);
  const blobAt = view.getUint32(HEADER.blobOffset, true);
  const string = (offset: number) => {
    const end = bytes.indexOf(0, blobAt + offset);
    return new TextDecoder().decode(bytes.subarray(blobAt + offset, end));
  };
  return { bytes, view, blobAt, string };
}

describe("encodePlan", () => {
  it("writes a header whose offsets and sizes add up to the whole", () => {
    const { bytes, view } = decode(planOf([]));
    assert.equal(view.getUint32(HEADER.magic, true), PLAN_MAGIC);
    assert.equal(view.getUint32(HEADER.totalSize, true), bytes.length);
    assert.equal(view.getUint32(HEADER.opsOffset, true), HEADER_SIZE);
    assert.equal(
      view.getUint32(HEADER.blobOffset, true) + view.getUint32(HEADER.blobSize, true),
      bytes.length,
    );
    assert.equal(bytes.at(-1), 0);
    assert.equal(view.getBigUint64(HEADER.cloneFlags, true), 0x2002_0000n);
    assert.equal(view.getInt32(HEADER.cgroupSlot, true), 3);
    assert.equal(
      view.getUint32(HEADER.flags, true),
      PLAN_FLAGS.dieWithParent | PLAN_FLAGS.childDiesWithStage,
    );
  });

  it("puts a mount's four strings, its flags and its target slot where plan.h says", () => {
    const { view, string } = decode(
      planOf([
        {
          op: {
            kind: "mount",
            source: "tmpfs",
            fstype: "tmpfs",
            data: "mode=755",
            flags: 6,
            at: SLOT_CWD,
            target: "/run",
          },
          phase: "child",
          origin: "mounts[0]",
          tolerate: ["ENOENT", "EBUSY"],
          skipFailed: 2,
        },
      ]),
    );
    const at = HEADER_SIZE;
    assert.equal(view.getUint16(at + OP.kind, true), 13);
    assert.equal(view.getUint8(at + OP.phase), 2);
    assert.equal(view.getUint8(at + OP.skipFailed), 2);
    assert.deepEqual([view.getUint16(at + 6, true), view.getUint16(at + 8, true)], [2, 16]);
    assert.equal(view.getBigUint64(at + OP.num, true), 6n);
    assert.equal(view.getBigInt64(at + OP.num + 8, true), -1n);
    const strings = [0, 1, 2, 3].map((i) => string(view.getUint32(at + OP.str + 4 * i, true)));
    assert.deepEqual(strings, ["tmpfs", "tmpfs", "mode=755", "/run"]);
  });

  it("packs a mount attribute change into its two double words", () => {
    const { view } = decode(
      planOf([
        {
          op: {
            kind: "mountSetattr",
            slot: slot(4),
            flags: 0x8000,
            attrSet: 0x1,
            attrClr: 0x70,
            propagation: 1 << 18,
            userns: SLOT_CWD,
          },
          phase: "host",
          origin: "mounts[1]",
        },
      ]),
    );
    assert.equal(view.getBigUint64(HEADER_SIZE + OP.num + 16, true), (1n << 32n) | 0x70n);
    assert.equal(view.getBigUint64(HEADER_SIZE + OP.num + 24, true), (1n << 18n) << 32n);
  });

  it("stores argv, environment and candidates as counted lists of offsets", () => {
    const { view, blobAt, string } = decode(
      planOf([
        {
          op: {
            kind: "exec",
            lists: { argv: ["sh", "-c", "true"], env: ["A=1"], candidates: ["/bin/sh"] },
          },
          phase: "child",
          origin: "process.args",
        },
      ]),
    );
    const data = blobAt + view.getUint32(HEADER_SIZE + OP.str + 12, true);
    assert.equal((data - blobAt) % 8, 0);
    const words = Array.from({ length: 8 }, (_, i) => view.getUint32(data + 4 * i, true));
    assert.deepEqual(words.slice(0, 3), [3, 1, 1]);
    assert.deepEqual(words.slice(3).map(string), ["sh", "-c", "true", "A=1", "/bin/sh"]);
    assert.equal(view.getUint32(HEADER_SIZE + OP.dataSize, true), 32);
  });

  it("keeps 64-bit masks whole", () => {
    const mask = 0x1ff_ffff_ffffn;
    const { view } = decode(
      planOf([{ op: { kind: "boundingSet", mask }, phase: "child", origin: "process" }]),
    );
    assert.equal(view.getBigUint64(HEADER_SIZE + OP.num, true), mask);
  });

  it("carries the supervisor's duties in the relay block", () => {
    const base = planOf([]);
    const { view, string } = decode({
      ...base,
      supervision: {
        ...base.supervision,
        daemon: true,
        relay: {
          tty: true,
          rows: 24,
          cols: 80,
          stdin: "once",
          firstClient: true,
          log: { path: "/l", maxSizeBytes: 1 << 20, maxFiles: 3 },
          exitRecordPath: "/e",
          exitDrainMs: 500,
        },
      },
    });
    const relay = HEADER.relay;
    assert.equal(string(view.getUint32(relay + RELAY.logPath, true)), "/l");
    assert.equal(view.getBigUint64(relay + RELAY.logMaxSize, true), 1n << 20n);
    assert.equal(string(view.getUint32(relay + RELAY.exitPath, true)), "/e");
    assert.equal(view.getUint32(relay + RELAY.socketDir, true), 0);
    assert.deepEqual(
      [view.getUint16(relay + RELAY.rows, true), view.getUint16(relay + RELAY.cols, true)],
      [24, 80],
    );
    const { daemon, tty, stdin, stdinOnce, relayClient } = PLAN_FLAGS;
    const wanted = daemon | tty | stdin | stdinOnce | relayClient | PLAN_FLAGS.relay;
    assert.equal(view.getUint32(HEADER.flags, true) & wanted, wanted);
  });

  it("refuses a NUL byte in a string, naming the field it came from", () => {
    const plan = planOf([
      { op: { kind: "sethostname", name: "a\0b" }, phase: "child", origin: "hostname" },
    ]);
    assert.throws(() => encodePlan(plan), { code: "INVALID_SPEC", origin: "hostname" });
  });

  it("refuses more descriptors than the stage's table holds", () => {
    const plan = planOf([
      {
        op: { kind: "open", path: "/", dir: SLOT_CWD, flags: 0, out: slot(256) },
        phase: "host",
        origin: "mounts[255]",
      },
    ]);
    assert.throws(() => encodePlan(plan), /at most 256/);
  });

  it("stays one block however many ops there are", () => {
    const op: PlannedOp = { op: { kind: "setsid" }, phase: "child", origin: "x" };
    const { bytes } = decode(planOf(Array.from({ length: 500 }, () => op)));
    assert.ok(bytes.length >= HEADER_SIZE + 500 * OP_SIZE);
  });
});
