import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeOp, type Op, type Slot } from "../../../src/plan/index.ts";
import { DEFAULT_PATH, execCandidates, planProcess } from "../../../src/runtime/plan-process.ts";
import { cpuMask, ioPriority, persona, schedAttr } from "../../../src/runtime/plan-scheduling.ts";
import type { OciProcess } from "../../../src/spec/index.ts";

const PROCESS: OciProcess = {
  user: { uid: 1000, gid: 100, umask: 0o027, additionalGids: [5] },
  args: ["sh"],
  env: ["PATH=/bin"],
  cwd: "/srv",
  capabilities: {
    bounding: ["CAP_CHOWN", "CAP_KILL"],
    effective: [],
    permitted: [],
    inheritable: [],
    ambient: [],
  },
  rlimits: [{ type: "RLIMIT_NOFILE", soft: 64, hard: -1 }],
  noNewPrivileges: false,
};

const OPTIONS = { ownsStdio: false, hold: false, init: false } as const;
const FILTER = { filter: new Uint8Array(16), flags: 4 };

function kinds(process: OciProcess, options: Parameters<typeof planProcess>[1]): Op["kind"][] {
  return planProcess(process, options).map(({ op }) => op.kind);
}

describe("planProcess", () => {
  it("gives up each privilege only after the last step that needs it", () => {
    const order = kinds(PROCESS, { ...OPTIONS, seccomp: FILTER });
    const wanted: Op["kind"][] = [
      "prlimit",
      "boundingSet",
      "seccomp",
      "prctl",
      "setgroups",
      "setresgid",
      "setresuid",
      "capset",
      "ambientSet",
      "chdir",
      "closeRange",
      "exec",
    ];
    assert.deepEqual(
      order.filter((kind) => wanted.includes(kind)),
      wanted,
    );
  });

  it("installs the filter last of all when no_new_privs is set", () => {
    const order = kinds(
      { ...PROCESS, noNewPrivileges: true },
      { ...OPTIONS, seccomp: FILTER, hold: true },
    );
    assert.deepEqual(order.slice(-3), ["hold", "seccomp", "exec"]);
    assert.equal(order.filter((kind) => kind === "seccomp").length, 1);
  });

  it("reads an rlimit of -1 as no limit", () => {
    const limit = planProcess(PROCESS, OPTIONS).find(({ op }) => op.kind === "prlimit");
    assert.deepEqual(limit?.op, { kind: "prlimit", resource: 7, soft: 64n, hard: 2n ** 64n - 1n });
    assert.equal(limit?.origin, "process.rlimits[0]");
  });

  it("gives the supervisor's pipes to the user, who may reopen them", () => {
    const owners = planProcess(PROCESS, { ...OPTIONS, ownsStdio: true }).filter(
      ({ op }) => op.kind === "fchown",
    );
    assert.deepEqual(
      owners.map(({ op }) => op),
      [0, 1, 2].map((fd) => ({ kind: "fchown", fd, uid: 1000, gid: 100 })),
    );
  });

  it("opens a terminal, binds the console and makes it stdio, in this order", () => {
    const slots = { devptsSlot: 7 as Slot, ptySlot: 8 as Slot };
    const console: Op = { kind: "close", slot: 9 as Slot };
    const order = kinds(
      { ...PROCESS, terminal: true, consoleSize: { height: 24, width: 80 } },
      {
        ...OPTIONS,
        ...slots,
        attachConsole: () => [{ op: console, phase: "child", origin: "process.terminal" }],
      },
    );
    assert.deepEqual(order.slice(0, 5), ["setsid", "openPty", "close", "stdioPty", "fchown"]);
  });

  it("puts the reaping init right before the program", () => {
    assert.deepEqual(kinds(PROCESS, { ...OPTIONS, init: true }).slice(-2), ["init", "exec"]);
  });

  it("can be told in words, every op of it", () => {
    for (const { op } of planProcess(PROCESS, { ...OPTIONS, seccomp: FILTER, hold: true })) {
      assert.match(describeOp(op), /^[a-z]/);
    }
  });
});

describe("execCandidates", () => {
  it("searches PATH as execvp does, the last PATH counting", () => {
    assert.deepEqual(execCandidates("ls", ["PATH=/a", "PATH=/bin::/usr/bin/"]), [
      "/bin/ls",
      "./ls",
      "/usr/bin/ls",
    ]);
  });
  it("leaves a command with a slash alone", () => {
    assert.deepEqual(execCandidates("./ls", ["PATH=/bin"]), ["./ls"]);
  });
  it("has a default where the environment has no PATH", () => {
    assert.equal(execCandidates("ls", []).length, DEFAULT_PATH.split(":").length);
  });
});

describe("scheduling attributes", () => {
  it("sets one bit a CPU in whole words", () => {
    assert.deepEqual([...cpuMask("0-2,65")], [7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
  });
  for (const list of ["", "a", "3-1", "1,,2", "99999999"]) {
    it(`refuses the CPU list "${list}"`, () => {
      assert.throws(() => cpuMask(list), { code: "INVALID_SPEC" });
    });
  }
  it("packs struct sched_attr", () => {
    const view = new DataView(schedAttr({ policy: "SCHED_BATCH", nice: -5 }).buffer);
    assert.deepEqual(
      [view.getUint32(0, true), view.getUint32(4, true), view.getInt32(16, true)],
      [56, 3, -5],
    );
  });
  it("refuses a policy, class or personality that the kernel does not know", () => {
    assert.throws(() => schedAttr({ policy: "SCHED_X" }), { origin: "process.scheduler.policy" });
    assert.throws(() => ioPriority({ class: "IOPRIO_CLASS_X", priority: 0 }), /IOPRIO_CLASS_X/);
    assert.throws(() => persona({ domain: "WINDOWS" }), { origin: "linux.personality.domain" });
  });
  it("combines an I/O class with its level, and a personality with its flags", () => {
    assert.equal(ioPriority({ class: "IOPRIO_CLASS_BE", priority: 7 }), (2 << 13) | 7);
    assert.equal(persona({ domain: "LINUX32", flags: ["ADDR_NO_RANDOMIZE"] }), 0x40008);
  });
});
