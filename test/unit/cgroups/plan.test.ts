import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type CgroupFacts,
  type CgroupLevel,
  type CgroupPlan,
  type Controller,
  planCgroup,
} from "../../../src/cgroups/index.ts";
import { type PlannedOp, SlotAllocator } from "../../../src/plan/index.ts";
import type { OciResources } from "../../../src/spec/index.ts";

const ALL: readonly Controller[] = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];

function level(path: string, changes: Partial<CgroupLevel> = {}): CgroupLevel {
  return { path, available: ALL, enabled: [], type: "domain", occupied: false, ...changes };
}

const TOP = level("/", { type: undefined });

function facts(changes: Partial<CgroupFacts> = {}): CgroupFacts {
  return {
    ...{ mountPoint: "/cg", ownPath: "/", path: "/tsrun/box", levels: [TOP] },
    ...{ writable: true, cpus: "0-1", mems: "0" },
    ...changes,
  };
}

function plan(changes: Partial<CgroupFacts> = {}, resources: OciResources = {}): CgroupPlan {
  return planCgroup({ facts: facts(changes), resources, slots: new SlotAllocator(2) });
}

function brief({ op, tolerate }: PlannedOp): string {
  const mark = tolerate ? ` ~${tolerate.join()}` : "";
  switch (op.kind) {
    case "mkdir":
    case "rmdir":
      return `${op.kind} ${op.path}${mark}`;
    case "open":
      return `open ${op.path} ${op.out}${mark}`;
    case "writeFile":
      return `${op.dir === -1 ? "" : `${op.dir}:`}${op.path}=${op.data}${mark}`;
    case "bpfProgAttach":
      return `attach ${op.prog} to ${op.target}${mark}`;
    case "chown":
      return `chown ${op.dir}:${op.name} ${op.uid}:${op.gid}${mark}`;
    default:
      return `${op.kind}${mark}`;
  }
}

describe("planCgroup", () => {
  it("makes the missing levels, with the controllers that statistics need, and opens the last", () => {
    const { host, cgroupSlot, directory } = plan();
    assert.equal(cgroupSlot, 2);
    assert.equal(directory, "/cg/tsrun/box");
    assert.deepEqual(host.map(brief), [
      "/cg/cgroup.subtree_control=+memory ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+pids ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+cpu ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+cpuset ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+io ~EINVAL,ENOENT",
      "mkdir /cg/tsrun ~EEXIST",
      "/cg/tsrun/cgroup.subtree_control=+memory ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+pids ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+cpu ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+cpuset ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+io ~EINVAL,ENOENT",
      "mkdir /cg/tsrun/box",
      "open /cg/tsrun/box 2",
    ]);
    assert.ok(host.every(({ phase }) => phase === "host"));
  });

  it("insists on the controllers that limits need", () => {
    const resources = {
      memory: { limit: 1 << 20 },
      hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
    };
    assert.deepEqual(plan({}, resources).host.map(brief), [
      "/cg/cgroup.subtree_control=+memory +hugetlb",
      "/cg/cgroup.subtree_control=+pids ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+cpu ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+cpuset ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+io ~EINVAL,ENOENT",
      "mkdir /cg/tsrun ~EEXIST",
      "/cg/tsrun/cgroup.subtree_control=+memory +hugetlb",
      "/cg/tsrun/cgroup.subtree_control=+pids ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+cpu ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+cpuset ~EINVAL,ENOENT",
      "/cg/tsrun/cgroup.subtree_control=+io ~EINVAL,ENOENT",
      "mkdir /cg/tsrun/box",
      "open /cg/tsrun/box 2",
      "2:memory.max=1048576",
      "2:hugetlb.2MB.max=0",
      "2:hugetlb.2MB.rsvd.max=0 ~ENOENT",
    ]);
  });

  it("asks for nothing that a level has already", () => {
    const enabled = ALL;
    const levels = [{ ...TOP, enabled }, level("/tsrun", { enabled })] as const;
    assert.deepEqual(plan({ levels }, { pids: { limit: 5 } }).host.map(brief), [
      "mkdir /cg/tsrun/box",
      "open /cg/tsrun/box 2",
      "2:pids.max=5",
    ]);
  });

  it("works without any controller as long as nothing is limited", () => {
    const levels = [{ ...TOP, available: [] }] as const;
    assert.deepEqual(plan({ levels }).host.map(brief), [
      "mkdir /cg/tsrun ~EEXIST",
      "mkdir /cg/tsrun/box",
      "open /cg/tsrun/box 2",
    ]);
  });

  it("names the controller, the field and a remedy where a limit cannot be had", () => {
    const levels = [{ ...TOP, available: ["hugetlb"] }] as const;
    assert.throws(() => plan({ levels }, { cpu: { quota: 5000 } }), {
      code: "CGROUP_UNAVAILABLE",
      origin: "linux.resources.cpu.quota",
      message: `linux.resources.cpu.quota needs the cpu controller, which "/cg" does not have`,
      hint: /cgroup_no_v1=cpu/,
    });
    const inside = [{ ...TOP, type: "domain", available: [] }] as const;
    assert.throws(() => plan({ levels: inside }, { pids: { limit: 5 } }), {
      hint: /above this cgroup namespace/,
    });
  });

  it("explains the rule against processes in inner cgroups where a limit breaks it", () => {
    const levels = [TOP, level("/tsrun", { occupied: true })] as const;
    assert.throws(() => plan({ levels }, { pids: { limit: 5 } }), {
      code: "CGROUP_UNAVAILABLE",
      origin: "linux.resources.pids.limit",
      message: /which the cgroup "\/tsrun" cannot pass on/,
      hint: /move those of \/cg\/tsrun\/cgroup.procs/,
    });
    const threaded = [TOP, level("/tsrun", { type: "threaded" })] as const;
    assert.throws(() => plan({ levels: threaded }, { pids: { limit: 5 } }), { hint: /threaded/ });
  });

  it("does without statistics below such a cgroup where nothing is limited", () => {
    const own = level("/job", { occupied: true });
    const { host } = plan({ levels: [TOP, own], path: "/job/tsrun/box" });
    assert.deepEqual(host.map(brief), [
      "/cg/cgroup.subtree_control=+memory ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+pids ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+cpu ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+cpuset ~EINVAL,ENOENT",
      "/cg/cgroup.subtree_control=+io ~EINVAL,ENOENT",
      "mkdir /cg/job/tsrun ~EEXIST",
      "mkdir /cg/job/tsrun/box",
      "open /cg/job/tsrun/box 2",
    ]);
  });

  it("reuses an empty cgroup, thawed and undivided", () => {
    const levels = [TOP, level("/tsrun"), level("/tsrun/box", { enabled: ["pids"] })] as const;
    const ops = plan({ levels }).host.map(brief);
    assert.ok(!ops.some((op) => op.startsWith("mkdir")));
    assert.deepEqual(ops.slice(-3), [
      "open /cg/tsrun/box 2",
      "2:cgroup.freeze=0",
      "2:cgroup.subtree_control=-pids",
    ]);
  });

  it("refuses a cgroup in use, the topmost one, and a place where nothing can be made", () => {
    const levels = [TOP, level("/tsrun"), level("/tsrun/box", { occupied: true })] as const;
    assert.throws(() => plan({ levels }), { code: "INVALID_SPEC", message: /holds processes/ });
    assert.throws(() => plan({ path: "/" }), { code: "INVALID_SPEC", message: /topmost/ });
    assert.throws(() => plan({ writable: false }), {
      code: "CGROUP_UNAVAILABLE",
      message: `cannot make the cgroup "/tsrun/box": "/cg/" is not writable`,
    });
  });

  it("filters devices with a program of its own, and always allows what OCI promises", () => {
    assert.deepEqual(
      plan({}, { devices: [{ allow: false }] })
        .host.map(brief)
        .slice(-4),
      ["open /cg/tsrun/box 2", "bpfProgLoad", "attach 3 to 2", "close"],
    );
    assert.equal(plan({}, { devices: [] }).host.map(brief).at(-1), "open /cg/tsrun/box 2");
    const everything = plan({}, { devices: [{ allow: true, access: "rwm" }] });
    assert.equal(everything.host.map(brief).at(-1), "open /cg/tsrun/box 2");
  });

  it("gives the cgroup away where the container may divide it", () => {
    const owner = { uid: 100_000, gid: 100_001, files: ["cgroup.procs", "memory.reclaim"] };
    const slots = new SlotAllocator();
    const { host } = planCgroup({ facts: facts(), resources: {}, owner, slots });
    assert.deepEqual(host.map(brief).slice(-3), [
      "chown 0: 100000:100001 ~ENOENT",
      "chown 0:cgroup.procs 100000:100001 ~ENOENT",
      "chown 0:memory.reclaim 100000:100001 ~ENOENT",
    ]);
  });

  it("takes down only what this launch has opened", () => {
    const { teardown } = plan();
    assert.deepEqual(teardown.map(brief), [
      "open . 2 ~EBADF,ENOENT",
      "2:cgroup.kill=1 ~ENOENT",
      "rmdir /cg/tsrun/box ~ENOENT,EBUSY",
    ]);
    assert.equal(teardown[0]?.skipFailed, 2);
  });
});
