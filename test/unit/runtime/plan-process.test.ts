import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  describeOp,
  type Op,
  type Slot,
  SlotAllocator,
  slotNamesAt,
} from "../../../src/plan/index.ts";
import {
  DEFAULT_PATH,
  execCandidates,
  planProcess,
  relayedStdio,
} from "../../../src/runtime/plan-process.ts";
import {
  ioPriority,
  persona,
  planAffinity,
  schedAttr,
} from "../../../src/runtime/plan-scheduling.ts";
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

const OPTIONS = {
  slots: new SlotAllocator(20),
  root: 3 as Slot,
  ownStdio: [],
  hold: false,
  init: false,
} as const;
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
      "checkCwd",
      "closeSlots",
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

  it("enters the working directory as root, below the root, and as the user only if that is refused", () => {
    const ops = planProcess(PROCESS, OPTIONS);
    const cwd = ops.filter(({ origin }) => origin === "process.cwd");
    assert.deepEqual(
      cwd.map(({ op, tolerate = [], skipOk = 0, skipFailed = 0 }) => [
        op.kind,
        ...tolerate,
        skipOk,
        skipFailed,
      ]),
      [
        ["openat2", "EACCES", 0, 2],
        ["fchdir", "EACCES", 1, 0],
        ["close", 0, 0],
        ["close", "EBADF", 2, 0],
        ["openat2", 0, 0],
        ["fchdir", 0, 0],
        ["checkCwd", 0, 0],
      ],
    );
    const [opened] = cwd;
    assert.ok(opened?.op.kind === "openat2");
    assert.deepEqual([opened.op.path, opened.op.dir], ["/srv/.", OPTIONS.root]);
    // RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: /proc/self/fd/N leads nowhere.
    assert.equal(opened.op.resolve, 0x12);
    const user = ops.findIndex(({ op }) => op.kind === "setresuid");
    assert.deepEqual(
      cwd.map((op) => ops.indexOf(op) < user),
      [true, true, true, false, false, false, false],
    );
  });

  it("closes what the launch has used before anybody else's path is executed", () => {
    const await_ = { start: 1 as Slot, result: 2 as Slot };
    const order = planProcess(PROCESS, { ...OPTIONS, awaitStart: await_ }).map(({ op }) => op);
    const closing = order.find((op) => op.kind === "closeSlots");
    assert.deepEqual(closing, { kind: "closeSlots", keep: 1, keepToo: 2 });
    const names = order.map(({ kind }) => kind);
    assert.ok(names.indexOf("closeSlots") < names.indexOf("awaitStart"));
  });

  const LISTENER = { path: "/run/agent", message: "{}" };
  for (const noNewPrivileges of [false, true]) {
    it(`hands a listener over while the stage is there, no_new_privs ${noNewPrivileges}`, () => {
      const ops = planProcess(
        { ...PROCESS, noNewPrivileges },
        { ...OPTIONS, hold: true, seccomp: { ...FILTER, flags: 1 | 4 | 32 }, listener: LISTENER },
      );
      const at = ops.findIndex(({ op }) => op.kind === "seccomp");
      const [filter, send] = ops.slice(at, at + 2).map(({ op }) => op);
      assert.ok(filter?.kind === "seccomp" && send?.kind === "sendListener");
      assert.equal(filter.flags, 4 | 8 | 32); // not TSYNC, which the kernel refuses beside it
      assert.deepEqual(send, { kind: "sendListener", listener: filter.listener, ...LISTENER });
      assert.ok(at < ops.findIndex(({ op }) => op.kind === "hold"));
      assert.equal(ops.filter(({ op }) => op.kind === "seccomp").length, 1);
    });
  }

  it("refuses a resource limit that there is not, by its path", () => {
    const rlimits = [{ type: "toString", soft: 1, hard: 1 }];
    assert.throws(() => planProcess({ ...PROCESS, rlimits }, OPTIONS), {
      code: "INVALID_SPEC",
      origin: "process.rlimits[0].type",
    });
  });

  it("reads an rlimit of -1 as no limit", () => {
    const limit = planProcess(PROCESS, OPTIONS).find(({ op }) => op.kind === "prlimit");
    assert.deepEqual(limit?.op, { kind: "prlimit", resource: 7, soft: 64n, hard: 2n ** 64n - 1n });
    assert.equal(limit?.origin, "process.rlimits[0]");
  });

  it("gives the supervisor's pipes to the user, who may reopen them", () => {
    const owners = planProcess(PROCESS, { ...OPTIONS, ownStdio: [0, 1, 2] }).filter(
      ({ op }) => op.kind === "fchown",
    );
    assert.deepEqual(
      owners.map(({ op }) => op),
      [0, 1, 2].map((fd) => ({ kind: "fchown", fd, uid: 1000, gid: 100 })),
    );
  });

  it("never gives away the null device that stands for a closed stdin", () => {
    const relay = { tty: false, rows: 0, cols: 0, firstClient: false, exitDrainMs: 0 } as const;
    assert.deepEqual(relayedStdio({ ...relay, stdin: "closed" }, PROCESS), [1, 2]);
    assert.deepEqual(relayedStdio({ ...relay, stdin: "open" }, PROCESS), [0, 1, 2]);
    assert.deepEqual(relayedStdio(undefined, PROCESS), []);
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
    const ops = planProcess(PROCESS, { ...OPTIONS, seccomp: FILTER, hold: true });
    for (const [index, { op }] of ops.entries()) {
      assert.match(describeOp(op, slotNamesAt({ ops, inheritedFds: 0 }, index)), /^[a-z]/);
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
    const [planned] = planAffinity("0-2,65", "host", "process.execCPUAffinity.initial");
    assert.ok(planned?.op.kind === "schedSetaffinity");
    assert.deepEqual([...planned.op.mask], [7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(planned.phase, "host");
    assert.deepEqual(planAffinity(undefined, "child", "process"), []);
  });
  for (const list of [" ", "a", "3-1", "1,,2", "99999999"]) {
    it(`refuses the CPU list "${list}"`, () => {
      const origin = "process.execCPUAffinity.final";
      assert.throws(() => planAffinity(list, "child", origin), { code: "INVALID_SPEC", origin });
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
