/** tsrun in a cgroup that is not the top, and containers that divide theirs. Runs in the test VM. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import {
  type CgroupOwner,
  killCgroup,
  planCgroup,
  probeCgroups,
  readDefaultParent,
  readHierarchy,
  removeCgroup,
} from "../../../src/cgroups/index.ts";
import { pidfdOpen } from "../../../src/ffi/index.ts";
import {
  planExecJoin,
  planNamespaces,
  readNamespaceFacts,
  readNamespaces,
} from "../../../src/namespaces/index.ts";
import { type PlannedOp, SLOT_CWD, SlotAllocator } from "../../../src/plan/index.ts";
import type { OciResources } from "../../../src/spec/index.ts";
import { type PlanParts, shell, startPlan } from "../../support/run-plan.ts";

const { mountPoint } = readHierarchy();
const PARENT = `/tsrun-test-${process.pid}`;
const DIRECTORY = `${mountPoint}${PARENT}`;
const USER = 12345;

function delegate(directory: string): void {
  const files = readFileSync("/sys/kernel/cgroup/delegate", "utf8").trim().split("\n");
  for (const file of ["", ...files.map((name) => `/${name}`)]) {
    if (existsSync(`${directory}${file}`)) chownSync(`${directory}${file}`, USER, USER);
  }
}

before(() => {
  mkdirSync(DIRECTORY);
  writeFileSync(`${mountPoint}/cgroup.subtree_control`, "+pids +memory");
  writeFileSync(`${DIRECTORY}/cgroup.subtree_control`, "+pids +memory");
});

after(async () => {
  await killCgroup(DIRECTORY);
  await removeCgroup(DIRECTORY);
});

describe("a cgroup that holds processes", () => {
  it("can hold containers without limits, and says what limits would need", async () => {
    const job = `${PARENT}/job`;
    mkdirSync(`${mountPoint}${job}`);
    const occupant = spawn("/bin/sleep", ["1000"]);
    writeFileSync(`${mountPoint}${job}/cgroup.procs`, String(occupant.pid));
    const parts = (resources: OciResources): PlanParts => {
      const facts = probeCgroups(`${job}/box`);
      const { host, teardown, cgroupSlot } = planCgroup({
        ...{ facts, resources, slots: new SlotAllocator() },
      });
      return { ops: [...host, ...teardown], cgroupSlot };
    };
    assert.match(await shell(parts({}), "cat /proc/self/cgroup"), /\/job\/box$/m);
    assert.throws(() => parts({ pids: { limit: 5 } }), {
      code: "CGROUP_UNAVAILABLE",
      origin: "linux.resources.pids.limit",
      hint: /It holds processes itself: move those of .*\/job\/cgroup.procs/,
    });
    // What the hint says, done.
    mkdirSync(`${mountPoint}${job}/occupants`);
    writeFileSync(`${mountPoint}${job}/occupants/cgroup.procs`, String(occupant.pid));
    const limit = await shell(
      parts({ pids: { limit: 5 } }),
      `cat ${mountPoint}${job}/box/pids.max`,
    );
    assert.equal(limit, "5");
    occupant.kill("SIGKILL");
  });
});

describe("an unprivileged user with a delegated cgroup", () => {
  it("runs limited processes in it, without systemd", () => {
    const delegated = `${PARENT}/user`;
    mkdirSync(`${mountPoint}${delegated}/self`, { recursive: true });
    delegate(`${mountPoint}${delegated}`);
    delegate(`${mountPoint}${delegated}/self`);
    const script = new URL("delegated.ts", import.meta.url).pathname;
    const user = ["--reuid", `${USER}`, "--regid", `${USER}`, "--clear-groups"];
    const { stdout, stderr } = spawnSync(
      "/bin/sh",
      [
        "-c",
        'echo $$ > "$1/cgroup.procs"; shift; exec setpriv "$@"',
        "sh",
        `${mountPoint}${delegated}/self`,
        ...user,
        process.execPath,
        script,
        delegated,
      ],
      { encoding: "utf8", env: {} },
    );
    assert.deepEqual(
      stdout.trim().split("\n"),
      [
        // The user's own cgroup is all that the user may use, unless told of the one above.
        `default ${delegated}/self/tsrun`,
        `cgroup 0::${delegated}/box`,
        "pids.max 7",
        `refused CGROUP_UNAVAILABLE cannot make the cgroup "/foreign": "${mountPoint}/" is not writable`,
      ],
      stderr,
    );
  });
});

describe("a container that may divide its cgroup", () => {
  const owner: CgroupOwner = {
    uid: 100_000,
    gid: 100_000,
    files: readFileSync("/sys/kernel/cgroup/delegate", "utf8").trim().split("\n"),
  };
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

  function container(): PlanParts & { readonly directory: string } {
    const slots = new SlotAllocator();
    const namespaces = (["user", "cgroup", "mount", "pid"] as const).map((type) => ({ type }));
    const linux = { namespaces, uidMappings: map, gidMappings: map };
    const facts = readNamespaceFacts(namespaces);
    const plan = planNamespaces({ linux, facts, slots });
    const cgroup = planCgroup({
      facts: probeCgroups(`${PARENT}/divided`),
      resources: { pids: { limit: 50 } },
      owner,
      slots,
    });
    return {
      cloneFlags: plan.cloneFlags,
      cgroupSlot: cgroup.cgroupSlot,
      directory: cgroup.directory,
      ops: [...cgroup.host, ...plan.host, ...plan.parent, ...plan.child, ...cgroup.teardown],
    };
  }

  const divide = [
    "mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt && cd /mnt",
    "mkdir inner && echo $$ > inner/cgroup.procs && echo +pids > cgroup.subtree_control",
    "mkdir sub && echo 3 > sub/pids.max && cat sub/pids.max",
    // The container's own limits stay out of its reach.
    "(echo max > pids.max) 2>/dev/null && echo lifted || echo kept",
  ].join("; ");

  it("does so, keeps its limits, and leaves nothing behind", async () => {
    const box = container();
    assert.equal(await shell(box, divide), "3\nkept");
    assert.ok(!existsSync(box.directory), "what it made in there is gone as well");
  });

  it("can be joined from outside its cgroup namespace", async () => {
    const box = container();
    const running = await startPlan(box, ["/bin/sleep", "1000"]);
    try {
      const slots = new SlotAllocator(1);
      const [pidfd] = [new SlotAllocator().take()];
      const target = readNamespaces(running.pid);
      const join = planExecJoin({ pidfd, target, own: readNamespaces("self"), slots });
      const cgroupSlot = slots.take();
      const open: PlannedOp = {
        op: { kind: "open", path: box.directory, dir: SLOT_CWD, flags: 0, out: cgroupSlot },
        phase: "host",
        origin: "cgroup",
      };
      const parts = {
        ops: [open, ...join.host, ...join.parent, ...join.child],
        cgroupSlot,
        inherit: [pidfdOpen(running.pid)],
      };
      assert.equal(await shell(parts, "cat /proc/self/cgroup; id -u"), "0::/\n0");
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });
});

describe("readDefaultParent", () => {
  it("is the top for root, wherever it runs", () => {
    assert.equal(readDefaultParent(), "/tsrun");
  });
});
