/**
 * tsrun-oci --systemd-cgroup over a real systemd: units for containers, with their limits. Limits need the
 * controllers of the test VM, which is slow: there they alone are looked at.
 */
// @vm
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { cgroup2MountPoint } from "../support/host.ts";
import type { Config } from "../support/oci.ts";
import { debianRoot } from "../support/roots.ts";
import { unavailable, until } from "./private-host.ts";
import { SystemdHost } from "./systemd-host.ts";

const skip = unavailable("/lib/systemd/systemd", "/usr/bin/systemctl", "/usr/bin/dbus-daemon");
const limits = readFileSync(`${cgroup2MountPoint()}/cgroup.controllers`, "utf8").includes("memory")
  ? false
  : "needs the memory, cpu and pids controllers";
const units = process.env["TSRUN_VM"] === undefined ? false : "tried on the machine itself";

/** Answers on the socket that it was started with, and says that it is ready. */
const SERVE = `
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = socket.socket(fileno=3)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"])
notify.send(b"READY=1")
while True:
    client, _ = server.accept()
    client.send(" ".join(f"{n}={os.environ[n]}" for n in ("LISTEN_FDS", "LISTEN_PID")).encode())
    client.close()
`;
const ASK = `
import socket
client = socket.socket(socket.AF_UNIX)
client.connect("/run/web.sock")
print(client.recv(100).decode())
`;

describe("--systemd-cgroup", { skip: skip ?? false }, () => {
  let systemd: SystemdHost;
  before(async () => {
    systemd = await SystemdHost.open();
  });
  after(() => systemd[Symbol.asyncDispose]());

  const files = (cgroup: string, ...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, systemd.read(cgroup, name)]));

  for (const way of ["systemd's own socket", "the system bus"] as const) {
    it(`makes a delegated scope over ${way}, and leaves no unit`, { skip: units }, async () => {
      if (way === "the system bus") {
        await systemd.host.run(["systemctl", "start", "dbus.service"]);
        systemd.env = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/run/dbus/system_bus_socket" };
      }
      await systemd.create("a", (config) => {
        config.annotations = { "org.systemd.property.TimeoutStopSec": "7" };
      });
      const { pid } = JSON.parse(await systemd.ok("state", "a"));
      const names = ["Slice", "Delegate", "ControlGroup", "DefaultDependencies", "TimeoutStopUSec"];
      assert.deepEqual(await systemd.show("pre-a.scope", ...names, "ActiveState"), {
        Slice: "test.slice",
        Delegate: "yes",
        ControlGroup: "/test.slice/pre-a.scope",
        DefaultDependencies: "no",
        TimeoutStopUSec: "7s",
        ActiveState: "active",
      });
      const inside = await systemd.host.run([
        "cat",
        "/sys/fs/cgroup/test.slice/pre-a.scope/cgroup.procs",
      ]);
      assert.equal(inside.stdout, `${pid}\n`, "it is alone in its cgroup");
      await systemd.ok("start", "a");
      const { stdout } = await systemd.call(["exec", "a", "cat", "/proc/self/cgroup"]);
      assert.match(stdout, /^0::\/$/m);
      await systemd.ok("delete", "--force", "a");
      assert.equal(await systemd.units("pre-*"), "");
      assert.equal(existsSync(systemd.host.cgroupFile("test.slice/pre-a.scope")), false);
      systemd.env = {};
    });
  }

  it("a container that ended by itself leaves no unit either", { skip: units }, async () => {
    await systemd.create("b", (config) => {
      config.process.args = ["false"];
    });
    await systemd.ok("start", "b");
    await systemd.ok("delete", "--force", "b");
    assert.equal(await systemd.units("pre-*"), "");
  });

  it("run names a scope after the container, below system.slice", { skip: units }, async () => {
    const bundle = await systemd.bundle("named", (config) => {
      delete config.linux.cgroupsPath;
      config.process.args = ["true"];
      config.hooks = {
        createRuntime: [
          {
            path: "/bin/sh",
            args: ["sh", "-c", "systemctl show -pSlice tsrun-named.scope > $OUT"],
            env: [`OUT=${systemd.host.file("slice")}`, "PATH=/usr/bin:/bin"],
          },
        ],
      };
    });
    await systemd.ok("run", `--bundle=${bundle}`, "named");
    assert.equal(readFileSync(systemd.host.file("slice"), "utf8"), "Slice=system.slice\n");
    assert.equal(await systemd.units("tsrun-*"), "");
  });

  it("what fails on the way leaves no unit", { skip: units }, async () => {
    const bundle = await systemd.bundle("c", (config) => {
      config.mounts.push({
        destination: "/x",
        type: "bind",
        source: "/no/such",
        options: ["bind"],
      });
    });
    const { status, stdout } = await systemd.call(["create", `--bundle=${bundle}`, "c"]);
    assert.equal(status, 1);
    assert.match(stdout, /\/no\/such/);
    assert.equal(await systemd.units("pre-*"), "");
  });

  it("a unit that is another's stays as it is", { skip: units }, async () => {
    await systemd.create("d");
    const path = (config: Config) => {
      config.linux.cgroupsPath = "test.slice:pre:d";
    };
    const bundle = await systemd.bundle("e", path);
    const { status, stdout } = await systemd.call(["create", `--bundle=${bundle}`, "e"]);
    assert.equal(status, 1);
    assert.match(stdout, /StartTransientUnit: Unit pre-d.scope.*already/);
    assert.equal((await systemd.show("pre-d.scope", "ActiveState"))["ActiveState"], "active");
    assert.equal(JSON.parse(await systemd.ok("state", "d")).status, "created");
    await systemd.ok("delete", "--force", "d");
  });

  it("a failed unit of that name is no obstacle", { skip: units }, async () => {
    const scope = ["systemd-run", "--scope", "--unit=pre-f.scope", "-pRuntimeMaxSec=100ms"];
    await systemd.host.run([...scope, "sleep", "100"]);
    const state = async () => (await systemd.show("pre-f.scope", "ActiveState"))["ActiveState"];
    await until("it has failed", async () => (await state()) === "failed");
    await systemd.create("f");
    await systemd.ok("delete", "--force", "f");
  });

  it("a name that ends in .slice is a slice", { skip: units }, async () => {
    await systemd.create("g", (config) => {
      config.linux.cgroupsPath = "test.slice::test-g.slice";
    });
    const { ControlGroup } = await systemd.show("test-g.slice", "ControlGroup");
    assert.equal(ControlGroup, "/test.slice/test-g.slice");
    assert.match(systemd.read("test.slice/test-g.slice", "cgroup.procs"), /^\d+$/);
    await systemd.ok("delete", "--force", "g");
    assert.equal(existsSync(systemd.host.cgroupFile("test.slice/test-g.slice")), false);
  });

  it("says what is wrong: with the path, an annotation, a property, the bus", {
    skip: units,
  }, async () => {
    const refused = async (change: (config: Config) => void, env = {}) => {
      const bundle = await systemd.bundle("h", change);
      const { status, stdout } = await systemd.call(["create", `--bundle=${bundle}`, "h"], env);
      assert.equal(status, 1);
      return stdout;
    };
    const annotated = (name: string, value: string) => (config: Config) => {
      config.annotations = { [`org.systemd.property.${name}`]: value };
    };
    assert.match(
      await refused((config) => {
        config.linux.cgroupsPath = "/a/b";
      }),
      /expected cgroupsPath to be of format .*slice:prefix:name/,
    );
    assert.match(await refused(annotated("CollectMode", "bare")), /CollectMode/);
    assert.match(await refused(annotated("NoSuchThing", "1")), /systemd refused .*NoSuchThing/);
    const nowhere = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/no/such" };
    assert.match(
      await refused(() => {}, nowhere),
      /cannot talk to systemd \(unix:path=\/no\/such\)/,
    );
    assert.equal(await systemd.units("pre-h*"), "");
  });

  it("a service of Type=notify that a socket activates", { skip: units }, async () => {
    const rootfs = await debianRoot();
    const bundle = await systemd.bundle("web", (config) => {
      config.root = { path: rootfs, readonly: true };
      config.mounts.push({ destination: "/run", type: "tmpfs", source: "tmpfs" });
      config.process.args = ["python3", "-c", SERVE];
    });
    const unit = [
      ...["--unit=web", "-pType=notify", "--socket-property=ListenStream=/run/web.sock"],
      ...["-pDefaultDependencies=no", "--socket-property=DefaultDependencies=no"],
    ];
    const command = systemd.argv("run", `--bundle=${bundle}`, "web");
    const started = await systemd.host.run(["systemd-run", ...unit, ...command]);
    assert.equal(started.status, 0, started.stderr);
    const { stdout, stderr } = await systemd.host.run(["python3", "-c", ASK]);
    assert.equal(stdout, "LISTEN_FDS=1 LISTEN_PID=1\n", stderr);
    const show = ["ActiveState", "SubState", "NotifyAccess"];
    assert.deepEqual(await systemd.show("web.service", ...show), {
      ActiveState: "active",
      SubState: "running",
      NotifyAccess: "main",
    });
    assert.equal((await systemd.show("pre-web.scope", "ActiveState"))["ActiveState"], "active");
    await systemd.host.run(["systemctl", "stop", "web.socket", "web.service"]);
    assert.equal(await systemd.units("pre-web*"), "");
  });

  it("limits: as properties and in the files, also after a reload", { skip: limits }, async () => {
    await systemd.create("l", (config) => {
      config.linux.resources = {
        memory: { limit: 64 << 20, reservation: 32 << 20, swap: 64 << 20 },
        cpu: { shares: 2048, quota: 33_333, period: 100_000, cpus: "1", mems: "0" },
        pids: { limit: 1 },
        unified: { "memory.high": "50M" },
      };
    });
    const cgroup = "test.slice/pre-l.scope";
    const properties = ["MemoryMax", "MemoryLow", "MemoryHigh", "MemorySwapMax", "CPUWeight"];
    const more = ["CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec", "AllowedCPUs", "TasksMax"];
    assert.deepEqual(await systemd.show("pre-l.scope", ...properties, ...more), {
      MemoryMax: "67108864",
      MemoryLow: "33554432",
      MemoryHigh: "52428800",
      MemorySwapMax: "0",
      CPUWeight: "174",
      CPUQuotaPerSecUSec: "340ms",
      CPUQuotaPeriodUSec: "100ms",
      AllowedCPUs: "1",
      TasksMax: "1",
    });
    const names = ["memory.max", "memory.low", "memory.high", "memory.swap.max", "cpu.weight"];
    const expected = {
      "memory.max": "67108864",
      "memory.low": "33554432",
      "memory.high": "52428800",
      "memory.swap.max": "0",
      "cpu.weight": "174",
      "cpu.max": "33333 100000",
      "cpuset.cpus": "1",
      "pids.max": "1",
    };
    const all = [...names, "cpu.max", "cpuset.cpus", "pids.max"];
    assert.deepEqual(files(cgroup, ...all), expected);
    assert.ok(Number(systemd.read(cgroup, "memory.current")) < 1 << 20, "the runtime is not in it");
    await systemd.host.run(["systemctl", "daemon-reload"]);
    assert.deepEqual(files(cgroup, ...all), { ...expected, "cpu.max": "34000 100000" });
    await systemd.ok("start", "l");
    const { status } = await systemd.call(["update", "--memory=100m", "--cpuset-cpus=77", "l"]);
    assert.equal(status, 1);
    assert.equal((await systemd.show("pre-l.scope", "MemoryMax"))["MemoryMax"], "67108864");
    assert.equal(
      systemd.read(cgroup, "memory.max"),
      "67108864",
      "a refused update changes neither",
    );
    await systemd.ok(
      "update",
      "--memory=128m",
      "--memory-swap=-1",
      "--pids-limit=5",
      "--cpu-quota=-1",
      "l",
    );
    assert.deepEqual(
      await systemd.show(
        "pre-l.scope",
        "MemoryMax",
        "MemorySwapMax",
        "TasksMax",
        "CPUQuotaPerSecUSec",
      ),
      {
        MemoryMax: "134217728",
        MemorySwapMax: "infinity",
        TasksMax: "5",
        CPUQuotaPerSecUSec: "infinity",
      },
    );
    assert.deepEqual(files(cgroup, "memory.max", "memory.swap.max", "pids.max", "cpu.max"), {
      "memory.max": "134217728",
      "memory.swap.max": "max",
      "pids.max": "5",
      "cpu.max": "max 100000",
    });
    await systemd.ok("delete", "--force", "l");
    assert.equal(await systemd.units("pre-*"), "");
  });

  it("out of memory: nothing is left after delete", { skip: limits }, async () => {
    await systemd.create("o", (config) => {
      config.process.args = ["sh", "-c", "x=a; while :; do x=$x$x; done"];
      config.linux.resources = { memory: { limit: 16 << 20, swap: 16 << 20 } };
    });
    await systemd.ok("start", "o");
    await until("it is killed", async () => {
      return JSON.parse(await systemd.ok("state", "o")).status === "stopped";
    });
    await systemd.ok("delete", "o");
    assert.equal(await systemd.units("pre-o*"), "");
  });
});
