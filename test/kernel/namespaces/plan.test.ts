import assert from "node:assert/strict";
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno } from "../../../src/base/errors.ts";
import { pidfdOpen } from "../../../src/ffi/index.ts";
import {
  NAMESPACE_KINDS,
  NAMESPACE_TYPES,
  planExecJoin,
  planNamespaces,
  readIdMap,
  readNamespaceFacts,
  readNamespaces,
} from "../../../src/namespaces/index.ts";
import { type PlannedOp, SlotAllocator } from "../../../src/plan/index.ts";
import type { OciLinux, OciNamespaceType } from "../../../src/spec/index.ts";
import {
  type PlanParts,
  type RunningPlan,
  runPlan,
  shell,
  startPlan,
} from "../../support/run-plan.ts";

type Namespaces = Pick<OciLinux, "namespaces" | "uidMappings" | "gidMappings" | "timeOffsets">;

const MAP = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const MAPS = { uidMappings: MAP, gidMappings: MAP };
const fresh = (...types: OciNamespaceType[]) => types.map((type) => ({ type }));

function parts(
  linux: Namespaces,
  names: { hostname?: string; domainname?: string } = {},
  later: readonly PlannedOp[] = [],
): PlanParts {
  const slots = new SlotAllocator();
  const facts = readNamespaceFacts(linux.namespaces);
  const { cloneFlags, host, parent, child } = planNamespaces({ linux, facts, slots, ...names });
  return { cloneFlags, ops: [...host, ...parent, ...child, ...later] };
}

/** As `readlink /proc/self/ns/TYPE` shows it, "net:[4026531833]". */
function namespaceOf(pid: number | "self", type: OciNamespaceType): string {
  return readlinkSync(`/proc/${pid}/ns/${NAMESPACE_KINDS[type].procName}`);
}

function differing(pid: number): readonly OciNamespaceType[] {
  const [own, theirs] = [readNamespaces("self"), readNamespaces(pid)];
  return NAMESPACE_TYPES.filter((type) => own[type] !== theirs[type]);
}

function pids(): readonly number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

/** Undefined for a process that is gone, or dead and waited for by nobody. */
function pidNamespace(pid: number): string | undefined {
  try {
    const dead = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    return dead ? undefined : namespaceOf(pid, "pid");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES")) return undefined;
    throw error;
  }
}

/** Runs `use` beside a process in these namespaces, which then ends. */
async function beside(container: PlanParts, use: (running: RunningPlan) => Promise<void>) {
  const running = await startPlan(container, ["/bin/sleep", "1000"]);
  try {
    await use(running);
  } finally {
    process.kill(running.pid, "SIGKILL");
    await running.end();
  }
}

describe("new namespaces", () => {
  for (const type of NAMESPACE_TYPES) {
    it(`makes a ${type} namespace and no other`, async () => {
      const linux = { namespaces: fresh(type), ...(type === "user" ? MAPS : {}) };
      await beside(parts(linux), async ({ pid }) => assert.deepEqual(differing(pid), [type]));
    });
  }

  it("makes all eight at once", async () => {
    const container = parts(
      { namespaces: fresh(...NAMESPACE_TYPES), ...MAPS },
      { hostname: "box" },
    );
    await beside(container, async ({ pid }) => assert.deepEqual(differing(pid), NAMESPACE_TYPES));
  });

  it("runs the program as PID 1 of a pid namespace", async () => {
    assert.equal(await shell(parts({ namespaces: fresh("pid") }), "echo $$"), "1");
  });

  it("runs the program as root of its user namespace, with all capabilities and no host groups", async () => {
    const linux = { namespaces: fresh("user"), ...MAPS };
    const script = "id -u; id -g; id -G; grep CapEff /proc/self/status; cat /proc/self/uid_map";
    const lines = (await shell(parts(linux), script)).split("\n");
    assert.deepEqual(lines.slice(0, 3), ["0", "0", "0"]);
    const [, last] = readFileSync("/proc/sys/kernel/cap_last_cap", "utf8").match(/(\d+)/) ?? [];
    const all = ((1n << (BigInt(last ?? 0) + 1n)) - 1n).toString(16).padStart(16, "0");
    assert.equal(lines[3], `CapEff:\t${all}`);
    assert.match(lines[4] ?? "", /^ *0 +100000 +65536$/);
  });

  it("runs the program in a user namespace that has no root", async () => {
    const map = [{ containerID: 1000, hostID: 100_000, size: 1 }];
    const linux = { namespaces: fresh("user"), uidMappings: map, gidMappings: map };
    const { stdout } = await runPlan(parts(linux), ["/usr/bin/id", "-u"]);
    assert.equal(stdout, "65534\n");
  });

  it("lets namespaces belong to the new user namespace", async () => {
    const linux = { namespaces: fresh("user", "network", "uts", "mount", "ipc"), ...MAPS };
    const script = "ip link add d0 type bridge; hostname other; mount -t tmpfs t /mnt; ip -o link";
    assert.match(await shell(parts(linux), script), /d0/);
  });

  it("raises lo in a new network namespace", async () => {
    const links = await shell(parts({ namespaces: fresh("network") }), "ip -o link show up");
    assert.match(links, /^1: lo: <LOOPBACK,UP,LOWER_UP>/);
  });

  it("names the container and not the host", async () => {
    const before = readFileSync("/proc/sys/kernel/hostname", "utf8");
    const names = { hostname: "box", domainname: "example.org" };
    const script = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname";
    assert.equal(
      await shell(parts({ namespaces: fresh("uts") }, names), script),
      "box\nexample.org",
    );
    assert.equal(readFileSync("/proc/sys/kernel/hostname", "utf8"), before);
  });

  it("shifts the clocks of a time namespace", async () => {
    const timeOffsets = { monotonic: { secs: 5000, nanosecs: 7 }, boottime: { secs: 1_000_000 } };
    const linux = { namespaces: fresh("time"), timeOffsets };
    const script = "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime";
    const [monotonic, boottime, uptime] = (await shell(parts(linux), script)).split("\n");
    assert.match(monotonic ?? "", /^monotonic +5000 +7$/);
    assert.match(boottime ?? "", /^boottime +1000000 +0$/);
    const hostUptime = Number(readFileSync("/proc/uptime", "utf8").split(".")[0]);
    assert.ok(Math.abs(Number(uptime) - hostUptime - 1_000_000) < 30);
  });

  it("leaves the stage in tsrun's namespaces", async () => {
    const linux = { namespaces: fresh(...NAMESPACE_TYPES), ...MAPS };
    await beside(parts(linux), async ({ launch }) => {
      const stage = launch.supervisorPid();
      assert.deepEqual(differing(stage), []);
      for (const file of ["pid", "time"]) {
        const own = readlinkSync(`/proc/self/ns/${file}`);
        assert.equal(readlinkSync(`/proc/${stage}/ns/${file}_for_children`), own);
      }
    });
  });
});

describe("joined namespaces", () => {
  let host: RunningPlan;
  let mapped: RunningPlan;
  const pathIn = (running: RunningPlan, type: OciNamespaceType) =>
    `/proc/${running.pid}/ns/${NAMESPACE_KINDS[type].procName}`;
  const joined = (running: RunningPlan, ...types: OciNamespaceType[]) =>
    types.map((type) => ({ type, path: pathIn(running, type) }));

  before(async () => {
    const all = NAMESPACE_TYPES.filter((type) => type !== "user");
    host = await startPlan(parts({ namespaces: fresh(...all) }), ["/bin/sleep", "1000"]);
    const linux = { namespaces: fresh(...NAMESPACE_TYPES), ...MAPS };
    mapped = await startPlan(parts(linux), ["/bin/sleep", "1000"]);
  });

  after(async () => {
    for (const running of [host, mapped]) {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });

  for (const type of NAMESPACE_TYPES.filter((one) => one !== "user")) {
    it(`joins a ${type} namespace and no other`, async () => {
      await beside(parts({ namespaces: joined(host, type) }), async ({ pid, launch }) => {
        assert.equal(namespaceOf(pid, type), namespaceOf(host.pid, type));
        assert.deepEqual(differing(pid), [type]);
        assert.deepEqual(differing(launch.supervisorPid()), []);
      });
    });
  }

  it("joins all eight of a container with its own user namespace", async () => {
    await beside(parts({ namespaces: joined(mapped, ...NAMESPACE_TYPES) }), async ({ pid }) => {
      assert.deepEqual(readNamespaces(pid), readNamespaces(mapped.pid));
      assert.deepEqual(readIdMap(pid, "uid"), MAP);
    });
  });

  it("makes new namespaces belong to a joined user namespace", async () => {
    const namespaces = [...joined(mapped, "user"), ...fresh("pid", "mount", "network")];
    const script = "mount -t proc proc /proc; ip link add d0 type bridge; cat /proc/1/comm; id -u";
    assert.equal(await shell(parts({ namespaces }), script), "sh\n0");
  });

  it("joins the host's namespaces beside a joined user namespace", async () => {
    const namespaces = [...joined(mapped, "user"), ...joined(host, "network", "ipc", "uts", "pid")];
    await beside(parts({ namespaces }), async ({ pid }) => {
      for (const type of ["network", "ipc", "uts", "pid"] as const) {
        assert.equal(namespaceOf(pid, type), namespaceOf(host.pid, type));
      }
      assert.equal(namespaceOf(pid, "user"), namespaceOf(mapped.pid, "user"));
    });
  });

  it("joins the host's namespaces for a new user namespace, and the stage goes back", async () => {
    const types = ["network", "ipc", "uts", "cgroup", "time", "pid"] as const;
    const namespaces = [...fresh("user", "mount"), ...joined(host, ...types)];
    await beside(parts({ namespaces, ...MAPS }), async ({ pid, launch }) => {
      for (const type of types) {
        assert.equal(namespaceOf(pid, type), namespaceOf(host.pid, type));
      }
      assert.deepEqual(readIdMap(pid, "gid"), MAP);
      assert.deepEqual(differing(launch.supervisorPid()), []);
    });
  });

  // The one is joined by the child, the other before the clone.
  for (const type of ["uts", "pid"] as const) {
    it(`names the path that is no ${type} namespace`, async () => {
      const namespaces = [{ type, path: pathIn(host, "network") }];
      await assert.rejects(runPlan(parts({ namespaces }), ["/bin/true"]), {
        code: "LAUNCH_FAILED",
        origin: "linux.namespaces[0].path",
        errno: "EINVAL",
      });
    });
  }

  it("keeps tsrun's rights over a process in a joined user namespace", async () => {
    const container = parts({ namespaces: [...joined(mapped, "user"), ...fresh("mount")] });
    const oomScore: PlannedOp = {
      op: { kind: "writeProc", name: "oom_score_adj", data: "7" },
      phase: "parent",
      origin: "process.oomScoreAdj",
    };
    const script = "cat /proc/self/oom_score_adj; grep PPid /proc/self/status";
    const lines = await shell({ ...container, ops: [oomScore, ...(container.ops ?? [])] }, script);
    assert.match(lines, /^7$/m);
  });

  it("leaves no process when the stage is killed while another clones in its place", async () => {
    const container = parts({ namespaces: joined(host, "pid") });
    const ops = container.ops ?? [];
    const fault = { op: ops.findIndex(({ op }) => op.kind === "setns"), pid: 0 };
    const run = runPlan({ ...container, fault }, ["/bin/sleep", "1000"]);
    await assert.rejects(run, { code: "SUPERVISOR_LOST" });
    const inside = () => pids().filter((pid) => pidNamespace(pid) === namespaceOf(host.pid, "pid"));
    for (let tries = 0; inside().length > 1 && tries < 100; tries++) await sleep(10);
    assert.deepEqual(inside(), [host.pid]);
  });

  for (const [name, target] of [
    ["of tsrun's user namespace", () => host],
    ["with a user namespace", () => mapped],
  ] as const) {
    it(`lets another process join a container ${name}`, async () => {
      const { pid } = target();
      const pidfd = pidfdOpen(pid);
      try {
        const slots = new SlotAllocator(1);
        const { ops, cloneFlags } = join(pid, slots);
        assert.equal(cloneFlags, 0);
        const running = await startPlan({ ops, inherit: [pidfd] }, ["/bin/sleep", "1000"]);
        try {
          assert.deepEqual(readNamespaces(running.pid), readNamespaces(pid));
          assert.deepEqual(differing(running.launch.supervisorPid()), []);
        } finally {
          process.kill(running.pid, "SIGKILL");
          await running.end();
        }
      } finally {
        closeSync(pidfd);
      }
    });
  }

  it("cannot join a container that has ended", async () => {
    const { pid, end } = await startPlan(parts({ namespaces: fresh("uts") }), [
      "/bin/sleep",
      "1000",
    ]);
    const pidfd = pidfdOpen(pid);
    try {
      const { ops } = join(pid, new SlotAllocator(1));
      process.kill(pid, "SIGKILL");
      await end();
      const run = runPlan({ ops, inherit: [pidfd] }, ["/bin/true"]);
      await assert.rejects(run, { code: "LAUNCH_FAILED", errno: "ESRCH" });
    } finally {
      closeSync(pidfd);
    }
  });

  function join(pid: number, slots: SlotAllocator) {
    const [pidfd] = [new SlotAllocator().take()];
    const own = readNamespaces("self");
    const plan = planExecJoin({ pidfd, target: readNamespaces(pid), own, slots });
    return { cloneFlags: plan.cloneFlags, ops: [...plan.host, ...plan.parent, ...plan.child] };
  }
});

describe("readNamespaces", () => {
  it("knows the eight types of this kernel", () => {
    assert.deepEqual(
      Object.keys(readNamespaces("self")).toSorted(),
      [...NAMESPACE_TYPES].toSorted(),
    );
  });

  it("says that a process is gone", () => {
    assert.throws(() => readNamespaces(4_194_304), { code: "NOT_FOUND", errno: "ESRCH" });
    assert.throws(() => readIdMap(4_194_304, "uid"), { code: "NOT_FOUND" });
  });

  it("tells namespace files from others, and from nothing", () => {
    const type = "uts";
    const paths = ["/proc/self/ns/uts", "/etc/passwd", "/nowhere"];
    const { files, mayMapAnyId } = readNamespaceFacts(paths.map((path) => ({ type, path })));
    assert.deepEqual(
      paths.map((path) => files.get(path)?.kind),
      ["namespace", "otherFile", "unreachable"],
    );
    assert.equal(mayMapAnyId, true);
  });
});
