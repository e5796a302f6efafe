/** Fields that become one request each. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planListener } from "../../../src/runtime/plan-listener.ts";
import { planMemoryPolicy } from "../../../src/runtime/plan-memory-policy.ts";
import { planGrants } from "../../../src/security/index.ts";

const STATE = { ociVersion: "1.3.0", id: "box", status: "creating", bundle: "/b" } as const;
const NOTIFY = { names: ["mkdir"], action: "SCMP_ACT_NOTIFY" };
const ALLOW = { defaultAction: "SCMP_ACT_ALLOW" };

describe("planListener", () => {
  it("is for filters that notify, whatever path they have", () => {
    assert.equal(planListener({ ...ALLOW, listenerPath: "/s" }, STATE), undefined);
  });

  it("tells the process state with the pid left open, and where the container is another process its pid", () => {
    const seccomp = { ...ALLOW, listenerPath: "/s", syscalls: [NOTIFY] };
    const { path, message } = planListener(seccomp, STATE) ?? { path: "", message: "" };
    assert.equal(path, "/s");
    assert.equal(message.split("\0").length, 3);
    assert.deepEqual(JSON.parse(message.replaceAll("\0", "42")), {
      ociVersion: "1.3.0",
      fds: ["seccompFd"],
      pid: 42,
      state: { ...STATE, pid: 42 },
    });
    const further = planListener(seccomp, { ...STATE, status: "running", pid: 7 })?.message ?? "";
    assert.equal(JSON.parse(further.replaceAll("\0", "42")).state.pid, 7);
  });

  for (const [what, seccomp, origin] of [
    [
      "a default of asking",
      { defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/s" },
      "linux.seccomp.defaultAction",
    ],
    ["nobody to ask", { ...ALLOW, syscalls: [NOTIFY] }, "linux.seccomp.syscalls[0].action"],
    [
      "a relative path",
      { ...ALLOW, listenerPath: "s", syscalls: [NOTIFY] },
      "linux.seccomp.listenerPath",
    ],
    [
      "a path that no socket can have",
      { ...ALLOW, listenerPath: `/${"x".repeat(107)}`, syscalls: [NOTIFY] },
      "linux.seccomp.listenerPath",
    ],
    [
      "the call with which the agent gets its listener",
      { ...ALLOW, listenerPath: "/s", syscalls: [NOTIFY, { ...NOTIFY, names: ["sendmsg"] }] },
      "linux.seccomp.syscalls[1].names",
    ],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => planListener(seccomp, STATE), { code: "INVALID_SPEC", origin });
    });
  }
});

describe("planMemoryPolicy", () => {
  it("combines mode and flags, and sets one bit a node", () => {
    const [planned] = planMemoryPolicy({
      mode: "MPOL_INTERLEAVE",
      nodes: "0-1,9",
      flags: ["MPOL_F_RELATIVE_NODES"],
    });
    assert.ok(planned?.op.kind === "setMempolicy");
    assert.equal(planned.op.mode, 3 | (1 << 14));
    assert.deepEqual([...planned.op.nodes.subarray(0, 3)], [3, 2, 0]);
    assert.equal(planned.op.nodes.length % 8, 0);
  });

  it("has no mask where there are no nodes", () => {
    const [planned] = planMemoryPolicy({ mode: "MPOL_LOCAL" });
    assert.equal(planned?.op.kind === "setMempolicy" && planned.op.nodes.length, 0);
    assert.deepEqual(planMemoryPolicy(undefined), []);
  });

  for (const [origin, policy] of [
    ["linux.memoryPolicy.mode", { mode: "MPOL_X" }],
    ["linux.memoryPolicy.flags[0]", { mode: "MPOL_BIND", nodes: "0", flags: ["constructor"] }],
    ["linux.memoryPolicy.nodes", { mode: "MPOL_BIND", nodes: "1-0" }],
    ["linux.memoryPolicy.nodes", { mode: "MPOL_BIND", nodes: "0-99999" }],
  ] as const) {
    it(`refuses a wrong ${origin}`, () => {
      assert.throws(() => planMemoryPolicy(policy), { code: "INVALID_SPEC", origin });
    });
  }
});

describe("planGrants", () => {
  const facts = { held: 0b101n, last: 40 };
  const wanted = { bounding: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_WHAT"], ambient: [] };

  it("leaves out what is not there to give, each once, with the reason", () => {
    const { capabilities, warnings } = planGrants(
      { ...wanted, permitted: wanted.bounding },
      facts,
      { all: false },
    );
    assert.deepEqual(capabilities, {
      bounding: ["CAP_CHOWN"],
      permitted: ["CAP_CHOWN"],
      ambient: [],
    });
    assert.deepEqual(warnings, [
      'process.capabilities: "CAP_DAC_OVERRIDE" is not tsrun\'s to give, it is left out',
      'process.capabilities: this kernel has no "CAP_WHAT", it is left out',
    ]);
  });

  it("gives everything that the kernel has in a user namespace", () => {
    const { capabilities } = planGrants(wanted, { ...facts, last: 0 }, { all: true });
    assert.deepEqual(capabilities.bounding, ["CAP_CHOWN"]);
    const all = planGrants(wanted, facts, { all: true }).capabilities;
    assert.deepEqual(all.bounding, ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]);
  });
});
