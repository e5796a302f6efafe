import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  NAMESPACE_KINDS,
  type NamespaceId,
  type NamespaceIds,
  planExecJoin,
} from "../../../src/namespaces/index.ts";
import { SlotAllocator } from "../../../src/plan/index.ts";
import type { OciNamespaceType } from "../../../src/spec/index.ts";

const { user, pid, mount, network, time } = NAMESPACE_KINDS;

function ids(of: string, types: readonly OciNamespaceType[]): NamespaceIds {
  return Object.fromEntries(types.map((type) => [type, `4:${of}-${type}` as NamespaceId]));
}

const OWN = ids("own", ["ipc", "uts", "network", "time", "cgroup", "mount", "pid", "user"]);

function join(differs: readonly OciNamespaceType[]) {
  const slots = new SlotAllocator(1);
  const [pidfd] = [new SlotAllocator().take()];
  return planExecJoin({ pidfd, target: { ...OWN, ...ids("box", differs) }, own: OWN, slots });
}

describe("planExecJoin", () => {
  it("asks for nothing where nothing differs", () => {
    assert.deepEqual(join([]), { cloneFlags: 0, host: [], parent: [], child: [] });
  });

  it("joins all that differs with one setns, in the child", () => {
    const { host, parent, child } = join(["mount", "network", "time"]);
    assert.deepEqual([...host, ...parent], []);
    assert.deepEqual(
      child.map(({ op }) => op),
      [{ kind: "setns", slot: 0, flags: mount.flag | network.flag | time.flag }],
    );
  });

  it("visits a pid namespace with the stage, which leaves it after the clone", () => {
    const { host, parent, child } = join(["pid"]);
    assert.deepEqual(
      [...host, ...parent].map(({ op }) => [op.kind, "flags" in op && op.flags]),
      [
        ["open", 0o2000000],
        ["setns", pid.flag],
        ["setns", pid.flag],
      ],
    );
    assert.deepEqual(child, []);
  });

  it("becomes root of a user namespace that it enters", () => {
    const { child } = join(["user", "mount"]);
    assert.deepEqual(
      child.map(({ op }) => op.kind),
      ["setns", "setgroups", "setresgid", "setresuid"],
    );
    assert.deepEqual(child[0]?.op, { kind: "setns", slot: 0, flags: user.flag | mount.flag });
  });
});
