/** Fields of config.json and what the container sees of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import type { TsrunError } from "../../../src/base/errors.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { Bundle, NAMESPACES } from "./bundle.ts";

const unavailable = process.getuid?.() === 0 ? busyboxRootUnavailable() : "needs root";
const options = unavailable === undefined ? {} : { skip: unavailable };

describe("a container from config.json", options, () => {
  let bundle: Bundle;
  before(async () => {
    bundle = await Bundle.create();
  });
  after(() => bundle[Symbol.dispose]());

  const refuses = (change: Parameters<Bundle["run"]>[0], expected: Partial<TsrunError>) =>
    assert.rejects(bundle.run(change), expected);

  it("has its user, groups, umask, environment, names and limits", async () => {
    const seen = await bundle.see('id -u; id -g; id -G; umask; echo "$A"; hostname; ulimit -n', {
      process: {
        user: { uid: 1000, gid: 100, umask: 0o027, additionalGids: [5, 6] },
        env: ["PATH=/bin", "A=b c"],
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }],
      },
      top: { hostname: "box" },
    });
    assert.equal(seen, "1000\n100\n100 5 6\n0027\nb c\nbox\n100");
  });

  it("has the capabilities that can be given, and is told of the others", async () => {
    const set = ["CAP_CHOWN", "cap_net_raw", "CAP_NO_SUCH"];
    const all = { bounding: set, effective: set, permitted: set, inheritable: set, ambient: set };
    const { stdout, warnings } = await bundle.run({
      script: "grep ^Cap /proc/self/status",
      process: { capabilities: all, user: { uid: 1000, gid: 1000 } },
    });
    const mask = `${((1n << 0n) | (1n << 13n)).toString(16).padStart(16, "0")}`;
    assert.deepEqual(
      stdout.trim().split("\n"),
      ["Inh", "Prm", "Eff", "Bnd", "Amb"].map((name) => `Cap${name}:\t${mask}`),
    );
    assert.deepEqual(warnings, [
      'process.capabilities: this kernel has no "CAP_NO_SUCH", it is left out',
    ]);
  });

  it("has its personality, scheduling and memory policy", async () => {
    const seen = await bundle.see(
      "cat /proc/self/personality; grep -c 'policy *: *3' /proc/self/sched || true; cut -d' ' -f19 /proc/self/stat; cut -d' ' -f2 /proc/self/numa_maps | sort | uniq",
      {
        process: { scheduler: { policy: "SCHED_BATCH", nice: 5 } },
        linux: {
          personality: { domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] },
          memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] },
        },
      },
    );
    const [personality, , nice, policy] = seen.split("\n");
    assert.deepEqual([personality, nice], ["00040000", "5"]);
    // A kernel without NUMA has no numa_maps.
    if (policy !== undefined) assert.equal(policy, "bind=static:0");
  });

  it("is refused a memory policy that contradicts itself", () =>
    refuses(
      { linux: { memoryPolicy: { mode: "MPOL_BIND" } } },
      { origin: "linux.memoryPolicy", errno: "EINVAL" },
    ));

  it("starts in its working directory, made where it is missing, though the user may not go there", async () => {
    assert.equal(await bundle.see("pwd", { process: { cwd: "/srv/deep/er" } }), "/srv/deep/er");
    mkdirSync(join(bundle.rootfs, "secret"), { mode: 0o700, recursive: true });
    const process = { cwd: "/secret", user: { uid: 1000, gid: 1000 } };
    assert.equal(await bundle.see("readlink /proc/self/cwd || echo in", { process }), "/secret");
  });

  for (const cwd of ["/proc/self/fd/4", "/proc/self/fd/7/../../..", "/proc/self/cwd"]) {
    it(`does not start in ${cwd}, which is the launch's (CVE-2024-21626)`, async () => {
      for (const directory of [cwd, `/link-${cwd.replaceAll("/", "-")}`]) {
        if (directory !== cwd) symlinkSync(cwd, join(bundle.rootfs, directory));
        const error = await bundle.run({ process: { cwd: directory } }).then(
          () => undefined,
          (reason: TsrunError) => reason,
        );
        assert.equal(error?.origin, "process.cwd", directory);
      }
    });
  }

  it("executes nothing through a descriptor of the launch's", async () => {
    for (let fd = 3; fd < 40; fd += 1) {
      await assert.rejects(
        bundle.run({ process: { args: [`/proc/self/fd/${fd}/bin/sh`, "-c", "true"] } }),
        { origin: "process.args" },
        `descriptor ${fd}`,
      );
    }
  });

  it("does not let exec start in a descriptor of the launch's either", async () => {
    const running = await bundle.start({ script: "sleep 100" });
    try {
      for (let fd = 3; fd < 20; fd += 1) {
        await assert.rejects(
          bundle.exec(running.pid, { args: ["pwd"], cwd: `/proc/self/fd/${fd}` }),
          { origin: "process.cwd" },
        );
      }
      const there = await bundle.exec(running.pid, { args: ["pwd"], cwd: "/etc" });
      assert.equal(there.stdout, "/etc\n");
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });

  it("gives execCPUAffinity to further processes and not to the first", async () => {
    const own = await bundle.see("grep Cpus_allowed_list /proc/self/status");
    const first = await bundle.start({
      script: "grep Cpus_allowed_list /proc/self/status; exec sleep 100",
      process: { execCPUAffinity: { initial: "0", final: "0" } },
    });
    try {
      const args = ["grep", "Cpus_allowed_list", "/proc/self/status"];
      const further = await bundle.exec(first.pid, { args, execCPUAffinity: { final: "0" } });
      assert.equal(further.stdout, "Cpus_allowed_list:\t0\n");
      const initial = await bundle.exec(first.pid, { args, execCPUAffinity: { initial: "0" } });
      assert.equal(initial.stdout, "Cpus_allowed_list:\t0\n");
      await first.wrote("Cpus_allowed_list");
    } finally {
      process.kill(first.pid, "SIGKILL");
      assert.equal((await first.end()).stdout.trimEnd(), own);
    }
  });

  it("joins a mount namespace and finds its root there", async () => {
    const other = await bundle.start({
      script:
        "mkdir -p /inner && mount -t tmpfs inner /inner && mkdir /inner/bin && cp -P /bin/* /inner/bin/ && echo ready && exec sleep 100",
    });
    try {
      await other.wrote("ready");
      using joining = await Bundle.create();
      const path = `/proc/${other.pid}/ns/mnt`;
      const linux = { namespaces: [{ type: "mount", path }] };
      const seen = await joining.start({
        script: "ls /; exec sleep 100",
        root: { path: "/inner" },
        mounts: [],
        linux: { ...linux, cgroupsPath: joining.cgroup },
      });
      try {
        assert.equal(readlinkSync(`/proc/${seen.pid}/ns/mnt`), readlinkSync(path));
        const inside = await joining.exec(
          seen.pid,
          { args: ["ls", "/"] },
          { rootPath: `/proc/${seen.pid}/root` },
        );
        assert.equal(inside.stdout, "bin\n");
        await seen.wrote("bin");
      } finally {
        process.kill(seen.pid, "SIGKILL");
        assert.equal((await seen.end()).stdout, "bin\n");
      }
    } finally {
      process.kill(other.pid, "SIGKILL");
      await other.end();
    }
  });

  it("stays in the runtime's mount namespace where none is asked for, its root by chroot", async () => {
    const running = await bundle.start({
      script: "ls / | grep -c bin; exec sleep 100",
      mounts: [],
      linux: { namespaces: [] },
    });
    try {
      assert.equal(readlinkSync(`/proc/${running.pid}/ns/mnt`), readlinkSync("/proc/self/ns/mnt"));
      assert.equal(readlinkSync(`/proc/${running.pid}/root`), bundle.rootfs);
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });

  it("is refused what would be mounted in somebody else's mount namespace", () =>
    refuses({ linux: { namespaces: [] } }, { origin: "mounts", code: "INVALID_SPEC" }));

  it("is refused a sysctl of a network that is the host's by another name", () =>
    refuses(
      {
        linux: {
          namespaces: [...NAMESPACES.filter(({ type }) => type !== "network"), OWN_NETWORK],
          sysctl: { "net.ipv4.ip_forward": "1" },
        },
      },
      { origin: 'linux.sysctl["net.ipv4.ip_forward"]' },
    ));

  for (const user of [false, true]) {
    it(`gets a network interface of the host's, renamed, with its addresses${user ? ", in a user namespace" : ""}`, async (t) => {
      const name = `tsr${process.pid % 100_000}${user ? "u" : ""}`;
      if (!makeVeth(t, name)) return;
      const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      const seen = await bundle.see("ip -o addr show dev net0; ip -o link show dev net0", {
        linux: {
          netDevices: { [name]: { name: "net0" } },
          namespaces: [...NAMESPACES, ...(user ? [{ type: "user" }] : [])],
          ...(user ? { uidMappings: maps, gidMappings: maps } : {}),
        },
      });
      assert.match(seen, /inet 10\.99\.0\.5\/24 /);
      assert.match(seen, /inet6 fd99::5\/64 /);
      assert.match(seen, /[<,]UP[,>]/);
      assert.equal(spawnSync("ip", ["link", "show", "dev", name]).status, 1);
    });
  }

  it("has the devices that it lists, and none where something else is", async () => {
    const device = { type: "c", path: "/listed", major: 1, minor: 5, fileMode: 0o640, gid: 5 };
    const linux = { devices: [device, { type: "p", path: "/dev/deep/fifo", uid: 7 }] };
    const seen = "stat -c '%F %t:%T %a %u:%g' /listed /dev/deep/fifo";
    const expected = "character special file 1:5 640 0:5\nfifo 0:0 666 7:0";
    assert.equal(await bundle.see(seen, { linux }), expected);
    // It is there now, and is what it should be.
    assert.equal(await bundle.see(seen, { linux }), expected);
    for (const other of [{ minor: 3 }, { type: "b" }, { type: "p" }, { path: "/etc/passwd" }]) {
      const devices = [{ ...device, ...other }];
      await refuses({ linux: { devices } }, { origin: "linux.devices[0]", errno: "EEXIST" });
    }
    rmSync(join(bundle.rootfs, "listed"));
  });

  it("is refused a mount's id map that contradicts itself, by its path", () => {
    const map = { containerID: 0, hostID: 100_000, size: 10 };
    const mount = { destination: "/m", type: "bind", source: bundle.directory, options: ["rbind"] };
    return refuses(
      { mounts: [{ ...mount, uidMappings: [map, map], gidMappings: [map] }] },
      { origin: "mounts[0].uidMappings[1]", code: "INVALID_SPEC" },
    );
  });

  it("may divide its cgroup where its user sees no other and may write", async () => {
    const mounts = (option: string) => [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
      {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["nosuid", option],
      },
    ];
    const process = { user: { uid: 1000, gid: 1000 } };
    const script = "mkdir /sys/fs/cgroup/mine && stat -c %u /sys/fs/cgroup/cgroup.procs";
    const seen = await bundle.see(`${script} && rmdir /sys/fs/cgroup/mine`, {
      process,
      mounts: mounts("relatime"),
    });
    assert.equal(seen, "1000");
    const readOnly = await bundle.run({ script, process, mounts: mounts("ro") });
    assert.match(readOnly.stderr, /Read-only file system/);
  });

  it("is refused an interface that the host does not have", () =>
    refuses(
      { linux: { netDevices: { "no-such-if": {} } } },
      { origin: 'linux.netDevices["no-such-if"]', code: "NOT_FOUND" },
    ));

  it("has a root that receives the host's mounts where that is asked for", async (t) => {
    const inner = join(bundle.rootfs, "received");
    mkdirSync(inner);
    const host = (...args: string[]) =>
      spawnSync(args[0] ?? "", args.slice(1), { stdio: "ignore" });
    // A mount of its own that is shared: the test machine's root may not be.
    host("mount", "--bind", bundle.rootfs, bundle.rootfs);
    t.after(() => host("umount", "-l", bundle.rootfs));
    host("mount", "--make-shared", bundle.rootfs);
    for (const [rootfsPropagation, expected] of [
      ["slave", "1"],
      ["private", "0"],
    ] as const) {
      const running = await bundle.start({
        script:
          'until test -e /go; do sleep 0.02; done; grep -c " /received " /proc/self/mountinfo',
        linux: { rootfsPropagation },
      });
      host("mount", "-t", "tmpfs", "received", inner);
      host("touch", join(bundle.rootfs, "go"));
      assert.equal((await running.end()).stdout.trim(), expected, rootfsPropagation);
      host("umount", inner);
      rmSync(join(bundle.rootfs, "go"));
    }
  });
});

const OWN_NETWORK = { type: "network", path: "/proc/self/ns/net" };

/** One end of a pair with two addresses that go with it and one that does not. */
function makeVeth(t: TestContext, name: string): boolean {
  const ip = (...args: string[]) => spawnSync("ip", args, { encoding: "utf8" });
  const made = ip("link", "add", name, "type", "veth", "peer", "name", `${name}p`);
  if (made.status !== 0) {
    t.skip(`needs veth and ip: ${made.stderr ?? "ip is not installed"}`);
    return false;
  }
  t.after(() => ip("link", "del", `${name}p`));
  ip("addr", "add", "10.99.0.5/24", "dev", name);
  ip("addr", "add", "fd99::5/64", "dev", name, "nodad");
  return true;
}
