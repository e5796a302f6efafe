/**
 * What single ops do to a process, as the process itself sees it. Needs root.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { pidfdOpen, socketpair } from "../../src/ffi/index.ts";
import { type Op, type PlannedOp, SLOT_CWD, type Slot } from "../../src/plan/index.ts";
import {
  buildStage,
  CLONE,
  exec,
  FULL,
  isGone,
  killNow,
  plan,
  planned,
  run,
  Stage,
  sh,
  until,
} from "./stage.ts";

const slot = (index: number) => index as Slot;
const child = (op: Op, more: Partial<PlannedOp> = {}) => planned("child", op, more);
const host = (op: Op, more: Partial<PlannedOp> = {}) => planned("host", op, more);

const O_PATH = 0o10000000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;
const NEWCGROUP = 0x200_0000;
const NEWTIME = 0x80;
const RESOLVE_IN_ROOT = 0x10;

const mount = (source: string, fstype: string, target: string, flags = 0, data = ""): Op => ({
  kind: "mount",
  source,
  fstype,
  data,
  flags,
  at: SLOT_CWD,
  target,
});
const makePrivate = child(mount("", "", "/", MS_REC | MS_PRIVATE));
const open = (path: string, out: number, dir: Slot = SLOT_CWD, flags = O_PATH): Op => ({
  kind: "open",
  path,
  dir,
  flags,
  out: slot(out),
});

const options = process.getuid?.() === 0 ? {} : { skip: "needs root" };

describe("an op", options, () => {
  let dir = "";
  before(() => {
    buildStage();
    dir = mkdtempSync(join(tmpdir(), "tsrun-ops-"));
  });
  after(() => rmSync(dir, { recursive: true }));

  /** The output of a script after these ops of the child. */
  async function seen(ops: readonly PlannedOp[], script: string, cloneFlags = FULL) {
    const outcome = await run(plan([...ops, sh(script)], { cloneFlags }));
    assert.equal(outcome.failed, undefined);
    return outcome.output.trim();
  }

  it("names the host", async () => {
    const ops = [
      child({ kind: "sethostname", name: "inside" }),
      child({ kind: "setdomainname", name: "example.org" }),
    ];
    assert.equal(
      await seen(ops, "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname"),
      "inside\nexample.org",
    );
  });

  it("brings the loopback up", async () => {
    const flags = "cat /proc/net/if_inet6 | wc -l";
    assert.equal(await seen([], flags), "0");
    assert.equal(await seen([child({ kind: "linkUp", name: "lo" })], flags), "1");
    const outcome = await run(plan([child({ kind: "linkUp", name: "nolo" }), sh("true")]));
    assert.equal(outcome.failed, "0 19"); // ENODEV
  });

  it("limits resources", async () => {
    const limit: Op = { kind: "prlimit", resource: 7, soft: 100n, hard: 200n };
    assert.equal(await seen([child(limit)], "ulimit -Sn; ulimit -Hn"), "100\n200");
  });

  it("changes the user, groups and capabilities, and keeps the rest out", async () => {
    const CAP_CHOWN = 1n << 0n;
    const CAP_NET_BIND = 1n << 10n;
    const text = await seen(
      [
        child({ kind: "boundingSet", mask: CAP_CHOWN | CAP_NET_BIND }),
        child({ kind: "prctl", option: 8, arg2: 1, arg3: 0, arg4: 0 }), // PR_SET_KEEPCAPS
        child({ kind: "setgroups", gids: [5, 7] }),
        child({ kind: "setresgid", gid: 1000 }),
        child({ kind: "setresuid", uid: 1000 }),
        child({
          kind: "capset",
          effective: CAP_NET_BIND,
          permitted: CAP_NET_BIND,
          inheritable: CAP_NET_BIND,
        }),
        child({ kind: "ambientSet", mask: CAP_NET_BIND }),
        child({ kind: "prctl", option: 38, arg2: 1, arg3: 0, arg4: 0 }), // no_new_privs
        child({ kind: "umask", mask: 0o27 }),
      ],
      "cat /proc/self/status",
    );
    for (const line of [
      /^Uid:\t1000\t1000\t1000\t1000$/m,
      /^Gid:\t1000\t1000\t1000\t1000$/m,
      /^Groups:\t5 7 $/m,
      /^CapInh:\t0{13}400$/m,
      /^CapPrm:\t0{13}400$/m,
      /^CapEff:\t0{13}400$/m,
      /^CapBnd:\t0{13}401$/m,
      /^CapAmb:\t0{13}400$/m,
      /^NoNewPrivs:\t1$/m,
      /^Umask:\t0027$/m,
    ]) {
      assert.match(text, line);
    }
  });

  it("filters system calls, and a failure behind the filter is still told", async () => {
    // BPF: if nr == NR return ERRNO(EPERM) else ALLOW. uname is 63 on x86-64, 160 on arm64.
    const deny = (nr: number) =>
      filter([0x20, 0, 0, 0], [0x15, 0, 1, nr], [0x6, 0, 0, 0x50001], [0x6, 0, 0, 0x7fff0000]);
    const [uname, write, exitGroup] = process.arch === "x64" ? [63, 1, 231] : [160, 64, 94];
    const seccomp = (nr: number) =>
      child({ kind: "seccomp", filter: deny(nr), flags: 0, listener: SLOT_CWD });
    assert.equal(await seen([seccomp(uname)], "uname 2>/dev/null || echo denied"), "denied");
    for (const nr of [write, uname]) {
      const outcome = await run(plan([seccomp(nr), exec("/nowhere")], { cloneFlags: FULL }));
      assert.equal(outcome.failed, "1 ENOENT");
    }
    assert.notEqual(exitGroup, uname);
  });

  it("sets CPUs, priority and persona", async () => {
    const text = await seen(
      [
        child({ kind: "schedSetaffinity", mask: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) }),
        child({ kind: "schedSetattr", attr: schedAttr(3, 0) }), // SCHED_BATCH
        child({ kind: "ioprioSet", ioprio: (2 << 13) | 6 }), // best effort, 6
        child({ kind: "personality", persona: 0x0040000 }), // ADDR_NO_RANDOMIZE
      ],
      "grep Cpus_allowed_list /proc/self/status; grep policy /proc/self/sched; ionice; cat /proc/self/personality",
    );
    assert.match(text, /^Cpus_allowed_list:\t0$/m);
    assert.match(text, /best-effort: prio 6/);
    assert.match(text, /^00040000$/m);
  });

  it("joins a new session keyring", async () => {
    const keyring = (ops: PlannedOp[]) => seen(ops, "cat /proc/keys");
    assert.match(
      await keyring([child({ kind: "keyring", name: "tsrun-test" })]),
      /keyring\s+tsrun-test/,
    );
  });

  it("starts a session", async () => {
    const session = "grep NSsid /proc/self/status";
    assert.match(await seen([child({ kind: "setsid" })], session), /\t1$/);
    assert.match(await seen([], session), /\t0$/);
  });

  it("makes nodes and links below a directory, and gives them away", async () => {
    const root = join(dir, "nodes");
    mkdirSync(join(root, "dev"), { recursive: true });
    symlinkSync("/etc", join(root, "out"));
    const below = (name: string): Op => ({
      kind: "mknod",
      name,
      dir: slot(0),
      mode: 0o20666,
      dev: 0x103n,
    });
    const text = await seen(
      [
        child(open(root, 0)),
        child(below("dev/null")),
        child({ kind: "symlink", target: "/proc/self/fd", name: "dev/fd", dir: slot(0) }),
        child({ kind: "chown", name: "dev/fd", dir: slot(0), uid: 5, gid: 6 }),
        child({ kind: "chown", name: "", dir: slot(0), uid: 7, gid: 8 }),
      ],
      `stat -c '%F %a %t,%T' ${root}/dev/null; readlink ${root}/dev/fd; stat -c %u:%g ${root}/dev/fd ${root}`,
    );
    assert.equal(text, "character special file 666 1,3\n/proc/self/fd\n5:6\n7:8");
    // "out" is a link to /etc: below the root there is none.
    const outcome = await run(
      plan([host(open(root, 0)), host(below("out/tsrun-escaped")), exec("/bin/true")]),
    );
    assert.equal(outcome.failed, "1 ENOENT");
    assert.equal(existsSync("/etc/tsrun-escaped"), false);
  });

  it("mounts with the new API, read-only, and pivots into it", async () => {
    const root = join(dir, "pivot");
    mkdirSync(root);
    const ops = [
      makePrivate,
      child({ kind: "fsopen", fstype: "tmpfs", out: slot(0) }),
      child({
        kind: "fsconfig",
        fs: slot(0),
        command: 1, // FSCONFIG_SET_STRING
        key: "size",
        value: "1m",
        valueSlot: SLOT_CWD,
      }),
      child({ kind: "fsconfig", fs: slot(0), command: 6, key: "", value: "", valueSlot: SLOT_CWD }),
      child({ kind: "fsmount", fs: slot(0), attributes: 0, out: slot(1) }),
      child({ kind: "mkdirBelow", path: "usr", root: slot(1), mode: 0o755 }),
      child({ kind: "mkdirBelow", path: "proc", root: slot(1), mode: 0o755 }),
      child({ kind: "symlink", target: "usr/bin", name: "bin", dir: slot(1) }),
      child({ kind: "symlink", target: "usr/lib", name: "lib", dir: slot(1) }),
      child({ kind: "symlink", target: "usr/lib64", name: "lib64", dir: slot(1) }),
      child({ kind: "moveMount", from: slot(1), to: SLOT_CWD, target: root }),
      child({ kind: "openTree", path: "/usr", dir: SLOT_CWD, flags: 1, out: slot(2) }),
      child({
        kind: "mountSetattr",
        slot: slot(2),
        flags: 0,
        attrSet: 1, // MOUNT_ATTR_RDONLY
        attrClr: 0,
        propagation: MS_PRIVATE,
        userns: SLOT_CWD,
      }),
      child(open(join(root, "usr"), 3)),
      child({ kind: "moveMount", from: slot(2), to: slot(3), target: "" }),
      child(open(join(root, "proc"), 4)),
      child({ ...mount("proc", "proc", ""), at: slot(4) } as Op),
      child({ kind: "chdir", path: root }),
      child({ kind: "pivotRoot", newRoot: ".", putOld: "." }),
      child({ kind: "umount", path: ".", flags: 2 }), // MNT_DETACH
      child({ kind: "chdir", path: "/" }),
    ];
    const text = await seen(ops, "ls /; touch /usr/x || echo refused; wc -l < /proc/mounts");
    assert.equal(
      text,
      "bin\nlib\nlib64\nproc\nusr\n" +
        "touch: cannot touch '/usr/x': Read-only file system\nrefused\n3",
    );
  });

  it("fills a new user namespace's maps from outside", async () => {
    const maps = ["gid_map", "uid_map"].map((name) =>
      planned("parent", { kind: "writeProc", name, data: "0 100000 10\n" }),
    );
    const outcome = await run(
      plan(
        [
          ...maps,
          child({ kind: "setresgid", gid: 0 }),
          child({ kind: "setresuid", uid: 0 }),
          sh("id -u; tr -s ' ' < /proc/self/uid_map; cat /proc/self/setgroups"),
        ],
        { cloneFlags: FULL | CLONE.newuser },
      ),
    );
    assert.equal(outcome.output, "0\n 0 100000 10\nallow\n");
  });

  it("sets the clocks of a new time namespace, and the stage comes back from it", async () => {
    const ops = [
      host({ kind: "unshare", flags: NEWTIME }),
      host({
        kind: "writeFile",
        path: "/proc/self/timens_offsets",
        data: "monotonic 864000 0\nboottime 864000 0\n",
        dir: SLOT_CWD,
        flags: 0,
      }),
    ];
    const outcome = await run(
      plan([...ops, sh("cut -d. -f1 /proc/uptime")], {
        cloneFlags: FULL,
        supervision: { timings: true },
      }),
    );
    const hostUptime = Number(readFileSync("/proc/uptime", "utf8").split(".")[0]);
    assert.ok(Math.abs(Number(outcome.output) - hostUptime - 864000) < 10);
    // All marks are of one clock, although the child's is ten days ahead.
    const marks = outcome.reports.filter(({ kind }) => kind === "phase").map((r) => r.timeNs);
    assert.equal(marks.length, 6);
    assert.ok((marks.at(-1) ?? 0n) - (marks[0] ?? 0n) < 10_000_000_000n);
  });

  it("joins a running container by its pidfd, all namespaces at once", async () => {
    using container = Stage.start(
      plan([child({ kind: "sethostname", name: "joined" }), sh("sleep 100")], { cloneFlags: FULL }),
    );
    const pid = (await container.next("running"))?.value ?? 0;
    const pidfd = pidfdOpen(pid);
    try {
      const outcome = await run(
        plan(
          [
            host(open("/proc/self/ns/pid", 1, SLOT_CWD, 0)),
            host({ kind: "setns", slot: slot(0), flags: CLONE.newpid }),
            planned("parent", { kind: "setns", slot: slot(1), flags: CLONE.newpid }),
            child({ kind: "setns", slot: slot(0), flags: FULL & ~CLONE.newpid }),
            sh("hostname; echo $$; readlink /proc/1/ns/net /proc/self/ns/net | uniq | wc -l"),
          ],
          { inheritedFds: 1 },
        ),
        { inherit: [pidfd] },
      );
      assert.deepEqual(outcome.output.trim().split("\n").slice(0, 1), ["joined"]);
      assert.notEqual(outcome.output.split("\n")[1], String(pid));
      assert.ok(Number(outcome.output.split("\n")[1]) < 100);
    } finally {
      closeSync(pidfd);
      killNow(pid);
    }
  });

  it("holds the mounts until the exit is told", async () => {
    const counted = join(dir, "held");
    mkdirSync(counted);
    using stage = Stage.start(
      plan([makePrivate, child(mount("tmpfs", "tmpfs", counted)), sh("sleep 100")], {
        cloneFlags: FULL,
        supervision: { holdMounts: true },
      }),
    );
    const pid = (await stage.next("running"))?.value ?? 0;
    const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
    const held = spawnSync("sh", ["-c", `ls -l /proc/${stage.pid}/fd`], { encoding: "utf8" });
    assert.ok(held.stdout.includes(namespace));
    killNow(pid);
    assert.equal((await stage.next("exited"))?.value, 9);
    await stage.end();
    // However short it lives: it does not begin before its mounts are held.
    for (let i = 0; i < 50; i++) {
      const quick = plan([exec("/nowhere")], {
        cloneFlags: CLONE.newns,
        supervision: { holdMounts: true },
      });
      assert.equal((await run(quick)).failed, "0 ENOENT");
    }
  });

  it("lets go of descriptors that only the child needed", async () => {
    const file = openSync("/etc/passwd", "r");
    using stage = Stage.start(
      plan([host(open("/etc/group", 1, SLOT_CWD, 0)), sh("sleep 100")], { inheritedFds: 1 }),
      { inherit: [file] },
    );
    closeSync(file);
    await stage.next("running");
    const { stdout } = spawnSync("ls", ["-l", `/proc/${stage.pid}/fd`], { encoding: "utf8" });
    assert.equal(stdout.includes("/etc/"), false);
    killNow(stage.pid);
    await stage.end();
  });

  it("knows what its proxy opened, and lets go of that too", async () => {
    using stage = Stage.start(
      plan([
        host(open("/etc/group", 0, SLOT_CWD, 0)),
        host({ kind: "proxy" }),
        host(open("/etc/passwd", 0, SLOT_CWD, 0)),
        host(open("/etc/hostname", 1, SLOT_CWD, 0)),
        sh("sleep 100"),
      ]),
    );
    assert.equal((await stage.next("running", "failed"))?.kind, "running");
    const { stdout } = spawnSync("ls", ["-l", `/proc/${stage.pid}/fd`], { encoding: "utf8" });
    assert.equal(stdout.includes("/etc/"), false);
    killNow(stage.pid);
    await stage.end();
  });

  it("opens below a root although somebody renames meanwhile", async (t) => {
    if (process.env["TSRUN_VM"]) return t.skip("an emulated CPU is too slow to win this race");
    const root = join(dir, "renamed");
    mkdirSync(join(root, "a/b"), { recursive: true });
    // The kernel gives EAGAIN for a ".." while any directory of the system gets another name.
    const renaming = new Worker(
      'const { renameSync } = require("node:fs"); const { parentPort, workerData: at } = require("node:worker_threads");' +
        'parentPort.postMessage("begins"); for (;;) { renameSync(at, at + "-"); renameSync(at + "-", at); }',
      { eval: true, workerData: mkdtempSync(join(dir, "moving-")) },
    );
    try {
      await once(renaming, "message");
      const path = `a/b${"/../b".repeat(300)}`;
      const opening: Op = {
        ...{ kind: "openat2", dir: slot(0), path, flags: O_PATH, mode: 0 },
        ...{ resolve: RESOLVE_IN_ROOT, out: slot(1) },
      };
      const again = Array.from({ length: 200 }, () => [
        child(opening),
        child({ kind: "close", slot: slot(1) }),
      ]).flat();
      const outcome = await run(plan([child(open(root, 0)), ...again, sh("echo opened")]));
      assert.equal(outcome.failed, undefined);
      assert.equal(outcome.output, "opened\n");
    } finally {
      await renaming.terminate();
    }
  });

  it("opens a terminal in the container and passes its master to the stage", async () => {
    const [ours, theirs] = socketpair();
    const pts = join(dir, "pts");
    mkdirSync(pts);
    using stage = Stage.start(
      plan(
        [
          makePrivate,
          child(mount("devpts", "devpts", pts, 0, "newinstance,ptmxmode=0666,mode=0620")),
          child(open(pts, 0)),
          child({ kind: "setsid" }),
          child({
            kind: "openPty",
            devpts: slot(0),
            rows: 33,
            cols: 77,
            out: slot(1),
            socket: SLOT_CWD,
            message: "",
          }),
          child({ kind: "stdioPty", slave: slot(1) }),
          child({ kind: "init" }),
          sh("stty size; ps -o tpgid=,pgid= -p $$ >/dev/null; test -t 2 && echo tty"),
        ],
        {
          cloneFlags: FULL,
          supervision: {
            relay: {
              tty: true,
              rows: 33,
              cols: 77,
              stdin: "open",
              firstClient: true,
              exitDrainMs: 200,
            },
          },
        },
      ),
      { client: theirs },
    );
    closeSync(theirs);
    assert.equal((await stage.next("failed", "running"))?.kind, "running");
    const chunks: Buffer[] = [];
    const socket = new Socket({ fd: ours });
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const text = outputOf(Buffer.concat(chunks));
    assert.match(text, /33 77\r\n/);
    assert.match(text, /tty\r\n/);
    assert.equal((await stage.next("exited"))?.value, 0);
  });

  describe("as PID 1", () => {
    const errnoFilter = (...numbers: number[]) =>
      filter(
        [0x20, 0, 0, 0],
        ...numbers.map((nr, index) => [0x15, numbers.length - index, 0, nr]),
        [0x6, 0, 0, 0x7fff0000],
        [0x6, 0, 0, 0x50026], // ERRNO(ENOSYS)
      );

    it("copes with a filter that is older than its system calls", async () => {
      const [sigtimedwait, closeRange] = process.arch === "x64" ? [128, 436] : [137, 436];
      const outcome = await run(
        plan(
          [
            child({
              kind: "seccomp",
              filter: errnoFilter(sigtimedwait, closeRange),
              flags: 0,
              listener: SLOT_CWD,
            }),
            child({ kind: "init" }),
            sh("sleep 0.05; exit 11"),
          ],
          { cloneFlags: FULL },
        ),
      );
      assert.deepEqual(outcome.kinds, ["running", "exited"]);
      assert.equal(outcome.exited, "exited 11");
    });

    it("leaves the terminal's keys to the command, which gets each once", async () => {
      const [ours, theirs] = socketpair();
      const pts = join(dir, "init-pts");
      mkdirSync(pts);
      using stage = Stage.start(
        plan(
          [
            makePrivate,
            child(mount("devpts", "devpts", pts, 0, "newinstance,ptmxmode=0666,mode=0620")),
            child(open(pts, 0)),
            child({ kind: "setsid" }),
            child({
              kind: "openPty",
              devpts: slot(0),
              rows: 24,
              cols: 80,
              out: slot(1),
              socket: SLOT_CWD,
              message: "",
            }),
            child({ kind: "stdioPty", slave: slot(1) }),
            child({ kind: "init" }),
            sh(
              "n=0; trap 'n=$((n+1))' INT; echo rea''dy; i=0; while [ $i -lt 30 ]; do sleep 0.01; i=$((i+1)); done; echo n=$n",
            ),
          ],
          {
            cloneFlags: FULL,
            supervision: {
              relay: {
                tty: true,
                rows: 24,
                cols: 80,
                stdin: "open",
                firstClient: true,
                exitDrainMs: 200,
              },
            },
          },
        ),
        { client: theirs },
      );
      closeSync(theirs);
      const socket = new Socket({ fd: ours });
      let text = "";
      for await (const chunk of socket) {
        const before = text;
        text += (chunk as Buffer).toString("latin1");
        if (text.includes("ready") && !before.includes("ready")) {
          socket.write(Uint8Array.of(16, 0, 0, 0, 1, 0, 0, 0, 3)); // RELAY_STDIN, "^C"
        }
      }
      assert.match(text, /n=1(?!\d)/); // the line may come in two frames
      assert.equal((await stage.next("exited"))?.value, 0);
    });
  });

  it("is undone when the supervisor's own files cannot be opened", async () => {
    const path = join(dir, "made");
    const outcome = await run(
      plan(
        [
          host({ kind: "mkdir", path, mode: 0o755 }),
          sh("echo never"),
          planned("teardown", { kind: "rmdir", path, retryMs: 0 }),
        ],
        {
          cloneFlags: FULL,
          supervision: {
            relay: {
              tty: false,
              rows: 0,
              cols: 0,
              stdin: "closed",
              firstClient: false,
              exitDrainMs: 100,
              log: { path: join(dir, "no/such/log"), maxSizeBytes: 0, maxFiles: 0 },
            },
          },
        },
      ),
    );
    assert.deepEqual(outcome.kinds, ["failed"]);
    assert.equal(outcome.failed, "none ENOENT");
    assert.equal(existsSync(path), false);
    assert.equal(outcome.output, "");
  });

  describe("on a cgroup", () => {
    // The machine's is beside the v1 mounts, the VM's in their place.
    const parent =
      ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].find((mountPoint) =>
        existsSync(join(mountPoint, "cgroup.procs")),
      ) ?? "";
    const name = `tsrun-native-${process.pid}`;
    const path = join(parent, name);
    const place = (t: TestContext) => {
      if (parent === "") t.skip("needs a cgroup v2 hierarchy below /sys/fs/cgroup");
      return parent !== "";
    };
    const ops = [host({ kind: "mkdir", path, mode: 0o755 }), host(open(path, 0))];
    const undo = [
      planned("teardown", {
        kind: "writeFile",
        path: join(path, "cgroup.kill"),
        data: "1",
        dir: SLOT_CWD,
        flags: 0,
      }),
      planned("teardown", { kind: "rmdir", path, retryMs: 2000 }),
    ];

    it("is born in it, sees itself at its root, and it goes with the container", async (t) => {
      if (!place(t)) return;
      const outcome = await run(
        plan(
          [
            ...ops,
            child({ kind: "unshare", flags: NEWCGROUP }),
            sh("grep ^0: /proc/self/cgroup"),
            ...undo,
          ],
          { cloneFlags: FULL, cgroupSlot: slot(0) },
        ),
      );
      assert.equal(outcome.output, "0::/\n");
      assert.deepEqual(outcome.kinds, ["running", "exited"]);
      assert.equal(existsSync(path), false);
    });

    it("is removed with the cgroups that the container made in it", async (t) => {
      if (!place(t)) return;
      const outcome = await run(
        plan(
          [
            ...ops,
            sh(
              `mkdir -p ${path}/a/b/c ${path}/a/d ${path}/e; sleep 100 & echo $! > ${path}/e/cgroup.procs`,
            ),
            ...undo,
          ],
          { cgroupSlot: slot(0) },
        ),
      );
      assert.deepEqual(outcome.kinds, ["running", "exited"]);
      assert.equal(existsSync(path), false);
    });

    it("a failed launch leaves none", async (t) => {
      if (!place(t)) return;
      const outcome = await run(
        plan([...ops, exec("/nowhere"), ...undo], { cloneFlags: FULL, cgroupSlot: slot(0) }),
      );
      assert.equal(outcome.failed, "2 ENOENT");
      assert.equal(existsSync(path), false);
    });

    it("gets a device filter", async (t) => {
      if (!place(t)) return;
      mkdirSync(path);
      try {
        // r0 = 0; exit: no device at all.
        const instructions = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
        const outcome = await run(
          plan(
            [
              host(open(path, 0, SLOT_CWD, 0)),
              host({
                kind: "bpfProgLoad",
                instructions,
                progType: 15,
                attachType: 6,
                out: slot(1),
              }),
              host({
                kind: "bpfProgAttach",
                prog: slot(1),
                target: slot(0),
                attachType: 6,
                flags: 2,
              }),
              sh("cat /dev/zero 2>&1 | head -c 100"),
            ],
            { cgroupSlot: slot(0) },
          ),
        );
        assert.match(outcome.output, /Operation not permitted/);
      } finally {
        await until("the cgroup is empty", () => {
          try {
            rmdirSync(path);
          } catch {
            return false;
          }
          return true;
        });
      }
    });
  });

  it("leaves nobody behind", async () => {
    using stage = Stage.start(plan([sh("sleep 100 & wait")], { cloneFlags: FULL }));
    const pid = (await stage.next("running"))?.value ?? 0;
    writeFileSync(join(dir, "pid"), String(pid));
    killNow(pid);
    assert.deepEqual((await stage.next("exited"))?.value, 9);
    assert.equal(await stage.end(), "exited 0");
    assert.ok(isGone(pid));
    // The pipe's end of file: nobody of the namespace holds it any more.
    assert.equal(await stage.output(), "");
  });
});

/** struct sock_filter[]: code, jt, jf, k. */
function filter(...instructions: readonly (readonly number[])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * instructions.length));
  for (const [index, [code = 0, jt = 0, jf = 0, k = 0]] of instructions.entries()) {
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, jt);
    view.setUint8(8 * index + 3, jf);
    view.setUint32(8 * index + 4, k, true);
  }
  return new Uint8Array(view.buffer);
}

/** struct sched_attr, version 0. */
function schedAttr(policy: number, nice: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(48));
  view.setUint32(0, 48, true);
  view.setUint32(4, policy, true);
  view.setInt32(16, nice, true);
  return new Uint8Array(view.buffer);
}

/** What a client was told of stdout; a line may come in two frames. native/clients.h. */
function outputOf(frames: Buffer): string {
  let text = "";
  for (let at = 0; at < frames.length; ) {
    const [kind, length] = [frames.readUInt32LE(at), frames.readUInt32LE(at + 4)];
    if (kind === 1) text += frames.toString("latin1", at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}
