/**
 * Published escapes and leaks of OCI runtimes, replayed: each is refused, or ends inside the container.
 * The table in SECURITY.md names these tests.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Bundle, Changes } from "../../conformance/bundle.ts";
import { Runtime } from "../../conformance/runtime.ts";
import { runProgram } from "../../support/cli.ts";
import { debianRoot } from "../../support/roots.ts";

const STAGE = join(import.meta.dirname, "../../../native/build/tsrun-stage");
const FAKE = { destination: "/proc", type: "bind", options: ["rbind"] };

let runtime: Runtime;
before(async () => {
  runtime = await Runtime.open();
});
after(() => runtime[Symbol.asyncDispose]());

const shell = (script: string): Changes => ({ "process.args": ["sh", "-c", script] });

/** The root that `prepare` made hostile is run; its output, or undefined if it was refused. */
async function attempt(bundle: Bundle, changes: Changes): Promise<string | undefined> {
  bundle.write(changes);
  const { status, stdout, stderr } = await runtime.run([
    "run",
    "--bundle",
    bundle.folder,
    bundle.id,
  ]);
  if (status === 0) return stdout;
  assert.match(stderr, /failed:/, "neither refused nor run");
  return undefined;
}

/** A program of this folder, run on the host or in the container until it is let go. */
async function started(argv: readonly string[]) {
  const [command = "", ...rest] = argv;
  const child = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

const sha256 = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

/** A container whose first process watches who enters, while `attack` enters. */
async function watched(attack: (id: string) => Promise<void>): Promise<string> {
  const bundle = runtime.bundle();
  const watcher = readFileSync(join(import.meta.dirname, "watcher.py"), "utf8");
  bundle.write({
    "root.path": await debianRoot(),
    "root.readonly": true,
    "process.args": ["python3", "-c", watcher, "3"],
  });
  await runtime.created(bundle);
  await runtime.ok("start", bundle.id);
  for (let wait = 0; wait < 200 && !bundle.output().includes("ready"); wait += 1) await sleep(25);
  const enters = (async () => {
    while (!bundle.output().includes("done")) await attack(bundle.id);
  })();
  await enters;
  await runtime.stopped(bundle.id);
  return bundle.output();
}

describe("published attacks", () => {
  it("CVE-2016-9962: a container cannot look into a process that enters it", async () => {
    const shown = await watched(async (id) => {
      await runtime.run(["exec", id, "/bin/true"]);
    });
    assert.equal(shown, "ready\ndone\n");
  });

  it("CVE-2019-5736: the runtime's binary cannot be had through /proc/self/exe", async () => {
    const original = sha256(STAGE);
    const shown = await watched(async (id) => {
      await runtime.run(["exec", id, "/proc/self/exe"]);
    });
    assert.doesNotMatch(shown, /writable/);
    assert.equal(sha256(STAGE), original);
    const bundle = runtime.bundle();
    symlinkSync("/proc/self/exe", bundle.root("evil"));
    bundle.write({ "process.args": ["/evil"] });
    // What it names is the stage, sealed in memory: that starts, and has nothing to do.
    await runtime.run(["run", "--bundle", bundle.folder, bundle.id]);
    assert.equal(sha256(STAGE), original);
  });

  it("CVE-2019-16884: no volume over /proc keeps a label from being set", async () => {
    const bundle = runtime.bundle();
    mkdirSync(bundle.path("fake/self/attr"), { recursive: true });
    writeFileSync(bundle.path("fake/self/attr/exec"), "");
    const mount = { ...FAKE, source: bundle.path("fake") };
    const label = { "process.apparmorProfile": "unconfined-by-a-fake" };
    assert.equal(
      await attempt(bundle, { "mounts-/proc": undefined, "mounts+": mount, ...label }),
      undefined,
    );
    assert.equal(readFileSync(bundle.path("fake/self/attr/exec"), "utf8"), "");
    const other = runtime.bundle();
    mkdirSync(other.path("fake"));
    const below = { destination: "/proc/self/attr", source: other.path("fake"), options: ["bind"] };
    assert.equal(await attempt(other, { "mounts+": below }), undefined);
  });

  for (const [cve, target] of [
    ["CVE-2019-19921", "/volume/proc"],
    ["CVE-2023-27561", "volume/proc"],
    ["CVE-2023-28642", "/sys"],
  ] as const) {
    it(`${cve}: a /proc that is a symbolic link (${target}) is refused`, async () => {
      const bundle = runtime.bundle();
      rmSync(bundle.root("proc"), { recursive: true, force: true });
      mkdirSync(bundle.root("volume/proc"), { recursive: true });
      symlinkSync(target, bundle.root("proc"));
      const masked = { "linux.maskedPaths": ["/proc/version"] };
      assert.equal(await attempt(bundle, masked), undefined);
    });
  }

  it("CVE-2021-30465: a mount point exchanged for a symbolic link leads to no place of the host's", async () => {
    const outside = join(runtime.base, "outside");
    mkdirSync(join(outside, "target"), { recursive: true });
    writeFileSync(join(outside, "secret"), "of the host");
    for (let round = 0; round < 8; round += 1) {
      const bundle = runtime.bundle();
      mkdirSync(bundle.root("volume/target"), { recursive: true });
      symlinkSync(outside, bundle.root("link"));
      await using _swapper = await started([
        ...["python3", join(import.meta.dirname, "swapper.py")],
        ...[bundle.root("volume"), bundle.root("link")],
      ]);
      const shown = await attempt(bundle, {
        ...shell("cat /volume/secret /link/secret 2>/dev/null; true"),
        "mounts+": { destination: "/volume/target", type: "tmpfs", source: "tmpfs" },
      });
      assert.ok(!shown?.includes("of the host"), shown);
    }
    assert.deepEqual(readdirSync(join(outside, "target")), []);
  });

  it("CVE-2022-29162: nothing is inheritable that the configuration does not list", async () => {
    const bundle = runtime.bundle();
    bundle.write(shell("sleep 1000"));
    await runtime.created(bundle);
    await runtime.ok("start", bundle.id);
    const inheritable = ["sed", "-n", "s/^CapInh:.//p", "/proc/self/status"];
    assert.equal(await runtime.ok("exec", bundle.id, ...inheritable), "0000000000000000\n");
    const added = await runtime.ok("exec", "--cap", "CAP_KILL", bundle.id, ...inheritable);
    assert.equal(added, "0000000000000000\n");
  });

  it("CVE-2023-25809: a user namespace does not make the host's cgroups writable", async () => {
    const shown = await attempt(runtime.bundle(), {
      ...shell("mkdir /sys/fs/cgroup/mine 2>&1; true"),
      "linux.namespaces-cgroup": undefined,
      "linux.uidMappings": [{ containerID: 0, hostID: 100_000, size: 1000 }],
      "linux.gidMappings": [{ containerID: 0, hostID: 100_000, size: 1000 }],
      "linux.namespaces+": { type: "user" },
      "mounts+": {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro"],
      },
    });
    assert.match(shown ?? "Read-only", /Read-only|Permission denied/);
  });

  it("CVE-2024-21626: no working directory through a descriptor of the host's", async () => {
    const running = runtime.bundle();
    running.write(shell("sleep 1000"));
    await runtime.created(running);
    await runtime.ok("start", running.id);
    writeFileSync(join(runtime.base, "marker"), "of the host");
    const look = `cat ../../../../../../..${runtime.base}/marker 2>/dev/null; true`;
    for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 11]) {
      const cwd = `/proc/self/fd/${fd}`;
      const first = runtime.bundle();
      const shown = await attempt(first, { ...shell(look), "process.cwd": cwd });
      assert.ok(!shown?.includes("of the host"), cwd);
      const { stdout } = await runtime.run(["exec", "--cwd", cwd, running.id, "sh", "-c", look]);
      assert.ok(!stdout.includes("of the host"), cwd);
    }
  });

  it("CVE-2024-45310: no directory is made on the host for a mount point", async () => {
    const outside = join(runtime.base, "made-outside");
    const bundle = runtime.bundle();
    symlinkSync(`../../../../../../..${outside}`, bundle.root("link"));
    await attempt(bundle, {
      "mounts+": { destination: "/link/in", type: "tmpfs", source: "tmpfs" },
    });
    assert.ok(!existsSync(outside));
    const raced = join(runtime.base, "raced");
    mkdirSync(raced);
    for (let round = 0; round < 8; round += 1) {
      const racing = runtime.bundle();
      mkdirSync(racing.root("volume"));
      symlinkSync(raced, racing.root("link"));
      await using _swapper = await started([
        ...["python3", join(import.meta.dirname, "swapper.py")],
        ...[racing.root("volume"), racing.root("link")],
      ]);
      await attempt(racing, {
        "mounts+": { destination: "/volume/a/b/c", type: "tmpfs", source: "tmpfs" },
      });
    }
    assert.deepEqual(readdirSync(raced), []);
  });

  it("CVE-2025-31133: a false /dev/null does not unmask, and is mounted nowhere", async () => {
    const bundle = runtime.bundle();
    mkdirSync(bundle.path("dev"));
    symlinkSync("/proc/sys/kernel/core_pattern", bundle.path("dev/null"));
    const shown = await attempt(bundle, {
      ...shell("stat -c '%F %t:%T' /proc/version; awk '/core_pattern/' /proc/self/mountinfo"),
      "mounts-/dev": undefined,
      "mounts-/dev/pts": undefined,
      "mounts-/dev/shm": undefined,
      "mounts-/dev/mqueue": undefined,
      "mounts+": { destination: "/dev", source: bundle.path("dev"), options: ["bind"] },
      "linux.maskedPaths": ["/proc/version"],
    });
    assert.match(shown ?? "character special file 1:3\n", /^character special file 1:3\n$/);
  });

  describe("CVE-2025-52565: a false /dev/console or /dev/pts leads to no file of /proc", () => {
    const DEVPTS = {
      ...{ destination: "/dev/pts", type: "devpts", source: "devpts" },
      options: ["newinstance", "ptmxmode=0666"],
    };
    /** What create says of a terminal in a /dev with this link in it. */
    async function refusal(place: "an image's own" | "a mounted", link: string, target: string) {
      const bundle = runtime.bundle();
      const mounted = place === "a mounted";
      const dev = mounted ? bundle.path("dev") : bundle.root("dev");
      mkdirSync(dev, { recursive: true });
      symlinkSync(target, join(dev, link));
      const socket = bundle.path("console.sock");
      const console = join(import.meta.dirname, "../../conformance/console.py");
      const listener = spawn("python3", [console, socket], { stdio: ["ignore", "pipe", "ignore"] });
      await once(listener.stdout, "data");
      bundle.write({
        ...shell("true"),
        "process.terminal": true,
        "mounts-/dev": undefined,
        "mounts-/dev/shm": undefined,
        "mounts-/dev/mqueue": undefined,
        "mounts-/dev/pts": undefined,
        ...(mounted ? { "mounts+": { destination: "/dev", source: dev, options: ["bind"] } } : {}),
      });
      bundle.write({ "mounts+": DEVPTS });
      assert.equal(await runtime.create(bundle, { args: ["--console-socket", socket] }), 1);
      listener.kill("SIGKILL");
      assert.ok(!runtime.knows(bundle.id));
      return bundle.output();
    }

    for (const place of ["an image's own", "a mounted"] as const) {
      it(`${place} /dev: a link in either's place is refused`, async () => {
        const console = await refusal(place, "console", "/proc/sys/kernel/core_pattern");
        assert.match(console, /cannot open .*console.* \(process\.terminal\): .*\(ELOOP\)/);
        const pts = await refusal(place, "pts", "/proc/sys/kernel");
        assert.match(pts, /cannot open .*dev\/pts.* \(mounts\[\d\]\): .*\(ELOOP\)/);
      });
    }
  });

  describe("CVE-2025-52881: a sysctl is not written through a false /proc", () => {
    const NAME = "net/ipv4/ip_unprivileged_port_start";
    const sysctl = { "linux.sysctl": { [NAME.replaceAll("/", ".")]: "42" } };

    it("a directory that is mounted in its place is refused", async () => {
      const bundle = runtime.bundle();
      const victim = bundle.path(`fake/sys/${NAME}`);
      mkdirSync(dirname(victim), { recursive: true });
      writeFileSync(victim, "as it was");
      bundle.write({
        ...{ "mounts-/proc": undefined, "mounts+": { ...FAKE, source: bundle.path("fake") } },
        ...sysctl,
      });
      const said = await runtime.refused("run", "--bundle", bundle.folder, bundle.id);
      assert.match(said, /mounts\[\d\]: .*\/proc.* is inside \/proc/);
      assert.equal(readFileSync(victim, "utf8"), "as it was");
    });

    it("files of the image's are contained: the kernel's own is written, for the container", async () => {
      const bundle = runtime.bundle();
      const victim = bundle.root(`proc/sys/${NAME}`);
      mkdirSync(dirname(victim), { recursive: true });
      writeFileSync(victim, "as it was");
      bundle.write({
        ...{ ...shell("sleep 1000"), "mounts-/proc": undefined, ...sysctl },
        ...{ "linux.maskedPaths": [], "linux.readonlyPaths": [] },
      });
      await runtime.created(bundle);
      const { pid } = await runtime.state(bundle.id);
      const inside = ["nsenter", `--net=/proc/${pid}/ns/net`, "cat", `/proc/sys/${NAME}`];
      const [command = "", ...rest] = inside;
      assert.equal((await runProgram(command, rest)).stdout, "42\n");
      assert.equal(readFileSync(victim, "utf8"), "as it was");
    });
  });
});
