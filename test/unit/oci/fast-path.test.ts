import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Case, type Check, encodeFastPath, planFastPath } from "../../../src/oci/fast-path.ts";
import type { CreatedRecord } from "../../../src/oci/records.ts";

const RECORD: CreatedRecord = {
  ...{ version: 1, id: "c1", bootId: "b00t", bundle: "/bundle", rootfs: "/bundle/rootfs" },
  ...{ created: "2026-01-02T03:04:05.678Z", cgroup: "/cg/c1", ownPidNamespace: true },
  creator: { pid: 7, startTime: "70" },
  init: { pid: 8, startTime: "80" },
};

const cases = (command: Case["command"], more: Partial<CreatedRecord> = {}) =>
  planFastPath({ ...RECORD, ...more }).filter((foreseen) => foreseen.command === command);

const LIVES = [
  ["boot", "b00t"],
  ["alive", "8", "80"],
];

describe("planFastPath", () => {
  it("has a state for each thing that can be seen of the container", () => {
    const seen = cases("state").map(({ checks, actions: [action] }) => {
      const { status, pid } = JSON.parse(action?.[1] ?? "");
      return { checks, status, pid };
    });
    assert.deepEqual(seen, [
      {
        checks: [...LIVES, ["thawed", "/cg/c1"], ["absent", "exec.fifo"]],
        ...{ status: "running", pid: 8 },
      },
      {
        checks: [...LIVES, ["thawed", "/cg/c1"], ["exists", "exec.fifo"]],
        ...{ status: "created", pid: 8 },
      },
      { checks: [...LIVES, ["frozen", "/cg/c1"]], status: "paused", pid: 8 },
      {
        checks: [
          ["boot", "b00t"],
          ["ended", "8", "80"],
        ],
        ...{ status: "stopped", pid: 0 },
      },
      { checks: [["another-boot", "b00t"]], status: "stopped", pid: 0 },
    ]);
  });

  it("starts who waits, unless hooks or a service's readiness are to be seen to", () => {
    assert.deepEqual(cases("start"), [
      {
        ...{ command: "start", flags: "" },
        checks: [
          ...[...LIVES, ["thawed", "/cg/c1"], ["exists", "exec.fifo"]],
          ["unset", "NOTIFY_SOCKET"],
        ],
        actions: [["release", "exec.fifo", "result.fifo"]],
      },
    ]);
    const hook = [{ path: "/bin/true" }];
    assert.deepEqual(cases("start", { hooks: { poststart: hook } }), []);
    assert.deepEqual(cases("start", { hooks: { startContainer: hook } }), []);
    assert.equal(cases("start", { hooks: { poststop: hook, prestart: hook } }).length, 1);
  });

  it("freezes who runs, and thaws who is frozen", () => {
    assert.deepEqual(
      [...cases("pause"), ...cases("resume")].map(({ checks, actions }) => ({ checks, actions })),
      [
        {
          checks: [...LIVES, ["exists", "/cg/c1/cgroup.freeze"], ["thawed", "/cg/c1"]],
          actions: [
            ["write", "/cg/c1/cgroup.freeze", "1"],
            ["await-frozen", "/cg/c1"],
          ],
        },
        {
          checks: [...LIVES, ["frozen", "/cg/c1"]],
          actions: [["write", "/cg/c1/cgroup.freeze", "0"]],
        },
      ],
    );
  });

  it("signals the first process by number or by a frequent name, and kills them all", () => {
    const sent = (check: Check, number: string) => ({
      ...{ command: "kill", flags: "", checks: [...LIVES, check] },
      actions: [["signal", "8", "80", number]],
    });
    const killed = (name: string) => ({
      ...{ command: "kill", flags: "--all" },
      checks: [
        ["boot", "b00t"],
        ["signal-is", name],
      ],
      actions: [["write", "/cg/c1/cgroup.kill", "1"]],
    });
    assert.deepEqual(cases("kill"), [
      sent(["signal-is-a-number"], "given"),
      sent(["signal-is", "KILL"], "9"),
      sent(["signal-is", "SIGKILL"], "9"),
      sent(["signal-is", "TERM"], "15"),
      sent(["signal-is", "SIGTERM"], "15"),
      ...["9", "KILL", "SIGKILL"].map(killed),
    ]);
  });

  it("deletes who has ended and left nothing, with --force or without", () => {
    const ended = [
      ["boot", "b00t"],
      ["ended", "8", "80"],
      ["unpopulated", "/cg/c1"],
    ];
    const rebooted = [
      ["another-boot", "b00t"],
      ["unpopulated", "/cg/c1"],
    ];
    assert.deepEqual(
      cases("delete").map(({ flags, checks }) => ({ flags, checks })),
      ["", "--force"].flatMap((flags) => [
        { flags, checks: ended },
        { flags, checks: rebooted },
      ]),
    );
    for (const { actions } of cases("delete")) {
      assert.deepEqual(actions, [["remove-cgroup", "/cg/c1"], ["remove-records"]]);
    }
  });

  it("leaves the rest of a deletion to the runtime: hooks, closids, a unit that is still there", () => {
    assert.deepEqual(cases("delete", { hooks: { poststop: [{ path: "/bin/true" }] } }), []);
    assert.deepEqual(cases("delete", { intelRdt: { closID: "x" } }), []);
    for (const { checks } of cases("delete", { unit: "tsrun-c1.scope" })) {
      assert.deepEqual(checks.slice(-3, -1), [
        ["exists", "/run/systemd/transient"],
        ["absent", "/run/systemd/transient/tsrun-c1.scope"],
      ]);
    }
  });
});

describe("encodeFastPath", () => {
  it("ends each word with a zero byte", () => {
    const words = encodeFastPath([
      {
        ...{ command: "kill", flags: "--all" },
        checks: [["signal-is", "9"], ["signal-is-a-number"]],
        actions: [["write", "/x y", "1"]],
      },
    ]);
    assert.deepEqual(Buffer.from(words).toString().split("\0"), [
      ...["tsrun-fast-path 1", "case", "kill", "--all", "signal-is", "9", "signal-is-a-number"],
      ...["write", "/x y", "1", "end", ""],
    ]);
  });

  it("keeps what an annotation says from being a word of its own", () => {
    const annotations = { evil: "\0end\0case\0state\0\0print\0forged" };
    const text = Buffer.from(encodeFastPath(planFastPath({ ...RECORD, annotations }))).toString();
    assert.equal(
      text.split("\0").filter((word) => word === "case").length,
      planFastPath(RECORD).length,
    );
    assert.ok(!text.split("\0").includes("forged"));
  });
});
