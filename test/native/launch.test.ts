/**
 * tsrun-stage on a real kernel, driven by plans. Needs root for namespaces and mounts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { encodePlan, type Op, SLOT_CWD, type Slot } from "../../src/plan/index.ts";
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

const O_DIRECTORY_PATH = 0o10000000 | 0o200000; // O_PATH | O_DIRECTORY
const slot = (index: number) => index as Slot;

const options = process.getuid?.() === 0 ? {} : { skip: "needs root" };

/** For a script that has set its traps. */
const READY_AND_WAIT = "echo ready; while :; do sleep 0.01; done";

describe("tsrun-stage", options, () => {
  let dir = "";
  before(() => {
    buildStage();
    dir = mkdtempSync(join(tmpdir(), "tsrun-native-"));
  });
  after(() => rmSync(dir, { recursive: true }));

  const mkdir = (name: string, mode = 0o755): Op => ({
    kind: "mkdir",
    path: join(dir, name),
    mode,
  });
  const rmdir = (name: string, retryMs = 0): Op => ({
    kind: "rmdir",
    path: join(dir, name),
    retryMs,
  });

  describe("runs", () => {
    it("true in its own namespaces", async () => {
      const outcome = await run(plan([exec("/bin/true")], { cloneFlags: FULL }));
      assert.deepEqual(outcome.kinds, ["running", "exited"]);
      assert.equal(outcome.exited, "exited 0");
      assert.equal(outcome.stage, "exited 0");
    });

    it("a process in namespaces that are not the caller's", async () => {
      const kinds = ["mnt", "uts", "ipc", "pid", "net"];
      const links = kinds.map((kind) => `readlink /proc/self/ns/${kind}`).join(";");
      const outcome = await run(plan([sh(links)], { cloneFlags: FULL }));
      const theirs = outcome.output.trim().split("\n");
      assert.equal(theirs.length, kinds.length);
      for (const [index, kind] of kinds.entries()) {
        assert.match(theirs[index] ?? "", new RegExp(`^${kind}:`));
        assert.notEqual(theirs[index], readlinkSync(`/proc/self/ns/${kind}`));
      }
    });

    it("as PID 1 of a pid namespace, and reports the pid that the caller sees", async () => {
      using stage = Stage.start(plan([sh("sleep 100")], { cloneFlags: FULL }));
      const running = await stage.next("running");
      const pid = running?.value ?? 0;
      assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^NSpid:\s+\d+\s+1$/m);
      killNow(pid);
      await stage.end();
    });

    it("and tells the exit status", async () => {
      assert.equal((await run(plan([sh("exit 3")], { cloneFlags: FULL }))).exited, "exited 3");
    });

    it("and tells the signal that ended it", async () => {
      assert.equal((await run(plan([sh("kill -TERM $$")]))).exited, "killed 15");
      const outcome = await run(plan([sh("kill -KILL $$")]));
      assert.equal(outcome.exited, "killed 9");
      assert.equal(outcome.stage, "exited 0");
    });

    it("with stdio, and no other descriptor", async () => {
      const inherited = openSync("/etc/passwd", "r");
      try {
        // The shell's own redirections may open more: the listing is made by ls itself.
        const outcome = await run(
          plan([exec("/bin/ls", "/proc/self/fd")], { cloneFlags: FULL, inheritedFds: 1 }),
          { inherit: [inherited] },
        );
        // 3 is what ls itself has opened to read the directory.
        assert.deepEqual(outcome.output.trim().split("\n"), ["0", "1", "2", "3"]);
      } finally {
        closeSync(inherited);
      }
    });

    it("with default signals, none blocked, and the caller's umask", async () => {
      const outcome = await run(plan([exec("/bin/cat", "/proc/self/status")]));
      assert.match(outcome.output, /^SigBlk:\t0{16}$/m);
      assert.match(outcome.output, /^SigIgn:\t0{16}$/m);
      const mask = `0${process.umask().toString(8).padStart(3, "0")}`;
      assert.match(outcome.output, new RegExp(`^Umask:\\t${mask}$`, "m"));
    });

    it("with the plan's environment only", async () => {
      const outcome = await run(plan([exec("/usr/bin/env")]));
      assert.equal(outcome.output, "PATH=/usr/bin:/bin:/usr/sbin:/sbin\n");
    });

    it("whatever its argv says", async () => {
      const stage = Stage.start(plan([exec("/bin/true")]), { title: "--help" });
      assert.equal((await stage.next("exited"))?.value, 0);
      await stage.end();
      stage[Symbol.dispose]();
    });

    it("the first candidate that exists", async () => {
      const lists = { argv: ["echo", "hi"], env: [], candidates: ["/nowhere/echo", "/bin/echo"] };
      const outcome = await run(plan([planned("child", { kind: "exec", lists })]));
      assert.equal(outcome.output, "hi\n");
    });

    it("reports the time of each step", async () => {
      const outcome = await run(
        plan([exec("/bin/true")], { cloneFlags: FULL, supervision: { timings: true } }),
      );
      const marks = outcome.reports.filter((report) => report.kind === "phase");
      assert.deepEqual(
        marks.map(({ mark }) => mark),
        ["start", "host", "cloned", "child", "exec", "exit"],
      );
      for (let i = 1; i < marks.length; i++) {
        assert.ok((marks[i]?.timeNs ?? 0n) >= (marks[i - 1]?.timeNs ?? 0n));
      }
    });
  });

  describe("refuses", () => {
    it("a plan that is not one", async () => {
      const outcome = await run(new Uint8Array(500));
      assert.deepEqual([outcome.failed, outcome.stage], ["none EINVAL", "exited 1"]);
    });

    it("a plan with a wrong op, and names it", async () => {
      const bad = encodePlan(plan([planned("child", { kind: "setsid" }), exec("/bin/true")]));
      bad[128] = 0xff;
      assert.equal((await run(bad)).failed, "0 EINVAL");
    });

    it("a plan that somebody could still change", () => {
      const path = join(dir, "plan");
      writeFileSync(path, encodePlan(plan([exec("/bin/true")])));
      const { stdout, status } = spawnSync(
        "python3",
        ["-c", UNSEALED, process.env["TSRUN_TEST_STAGE"] ?? stagePath(), path],
        { encoding: "utf8" },
      );
      assert.deepEqual([stdout.trim(), status], ["1 22 1", 0]);
    });

    it("to start without the descriptors that the plan counts on", async () => {
      const outcome = await run(plan([exec("/bin/true")], { inheritedFds: 1 }));
      assert.equal(outcome.failed, "none EBADF");
    });

    it("to run without a control socket", () => {
      assert.equal(spawnSync(stagePath(), ["--version"]).status, 2);
    });
  });

  describe("a failure", () => {
    it("in the host phase is told with its op, and undone", async () => {
      const outcome = await run(
        plan([
          planned("host", mkdir("one")),
          planned("host", mkdir("no/where")),
          exec("/bin/true"),
          planned("teardown", rmdir("one")),
          planned("teardown", rmdir("never-made")),
        ]),
      );
      assert.deepEqual(outcome.kinds, ["failed"]);
      assert.deepEqual([outcome.failed, outcome.stage], ["1 ENOENT", "exited 1"]);
      assert.equal(existsSync(join(dir, "one")), false);
    });

    it("in the parent phase kills the child that waits", async () => {
      const outcome = await run(
        plan(
          [
            planned("host", mkdir("parent")),
            planned("parent", { kind: "writeProc", name: "uid_map", data: "nonsense" }),
            sh("echo never"),
            planned("teardown", rmdir("parent")),
          ],
          { cloneFlags: CLONE.newuser },
        ),
      );
      assert.equal(outcome.failed, "1 EINVAL");
      assert.equal(outcome.output, "");
      assert.equal(existsSync(join(dir, "parent")), false);
    });

    it("in the child is told with its op", async () => {
      const outcome = await run(
        plan(
          [
            planned("host", mkdir("child")),
            planned("child", { kind: "sethostname", name: "x" }),
            planned("child", { kind: "chdir", path: "/nowhere" }),
            exec("/bin/true"),
            planned("teardown", rmdir("child")),
          ],
          { cloneFlags: FULL },
        ),
      );
      assert.equal(outcome.failed, "2 ENOENT");
      assert.equal(existsSync(join(dir, "child")), false);
    });

    it("of the exec tells the most telling errno", async () => {
      writeFileSync(join(dir, "plain"), "#!/bin/sh\n", { mode: 0o644 });
      const outcome = (...candidates: string[]) => {
        const lists = { argv: ["x"], env: [], candidates };
        return run(plan([planned("child", { kind: "exec", lists })], { cloneFlags: FULL }));
      };
      assert.equal((await outcome("/nowhere/x")).failed, "0 ENOENT");
      assert.equal((await outcome(join(dir, "plain"), "/nowhere/x")).failed, "0 EACCES");
      assert.equal((await outcome("/etc/passwd/x", join(dir, "plain"))).failed, "0 EACCES");
      writeFileSync(join(dir, "garbage"), "garbage", { mode: 0o755 });
      assert.equal((await outcome(join(dir, "garbage"))).failed, "0 ENOEXEC");
    });

    it("of clone3 is told without an op", async () => {
      const file = openSync("/etc/passwd", "r");
      try {
        const outcome = await run(
          plan([exec("/bin/true")], { cgroupSlot: slot(0), inheritedFds: 1 }),
          { inherit: [file] },
        );
        assert.equal(outcome.failed, "none EBADF");
      } finally {
        closeSync(file);
      }
    });

    it("of a slot that was never filled is EBADF, not a look at the working directory", async () => {
      const open: Op = { kind: "open", path: "/etc", dir: slot(7), flags: 0, out: slot(8) };
      const outcome = await run(plan([planned("host", open), exec("/bin/true")]));
      assert.equal(outcome.failed, "0 EBADF");
    });

    it("of the teardown is told, unless there was nothing to undo", async () => {
      mkdirSync(join(dir, "full/x"), { recursive: true });
      const outcome = await run(
        plan([
          exec("/bin/true"),
          planned("teardown", rmdir("full")),
          planned("teardown", rmdir("not-there")),
        ]),
      );
      const warned = outcome.reports.filter(({ kind }) => kind === "warned");
      assert.deepEqual(
        warned.map(({ opIndex }) => opIndex),
        [1],
      );
    });
  });

  describe("a tolerated failure", () => {
    it("goes on, and is told if it is to be", async () => {
      const outcome = await run(
        plan([
          planned("host", rmdir("gone"), { tolerate: ["EBUSY", "ENOENT"], warning: "told" }),
          planned("host", rmdir("gone"), { tolerate: ["ENOENT"] }),
          planned(
            "child",
            { kind: "chdir", path: "/gone" },
            {
              tolerate: ["ENOENT"],
              warning: "told",
            },
          ),
          exec("/bin/true"),
        ]),
      );
      assert.deepEqual(outcome.kinds, ["warned", "warned", "running", "exited"]);
      assert.deepEqual(
        outcome.reports.slice(0, 2).map(({ opIndex }) => opIndex),
        [0, 2],
      );
    });

    it("skips what it says, and so does success", async () => {
      const fails: Op = { kind: "chdir", path: "/nowhere" };
      const outcome = await run(
        plan([
          planned("host", rmdir("gone"), { tolerate: ["ENOENT"], skipFailed: 1 }),
          planned("host", fails),
          planned("child", { kind: "chdir", path: "/" }, { skipOk: 2 }),
          planned("child", fails),
          planned("child", fails),
          exec("/bin/true"),
        ]),
      );
      assert.equal(outcome.exited, "exited 0");
    });
  });

  describe("a hold", () => {
    const held = (more: Parameters<typeof plan>[1] = {}) =>
      plan(
        [
          planned("host", mkdir("held")),
          planned("child", { kind: "hold" }),
          sh("echo ran"),
          planned("teardown", rmdir("held")),
        ],
        { cloneFlags: FULL, ...more },
      );

    it("waits for the word", async () => {
      using stage = Stage.start(held());
      const created = await stage.next("created");
      assert.ok(created && !isGone(created.value));
      assert.equal(readlinkSync(`/proc/${created.value}/exe`).includes("tsrun-stage"), true);
      stage.go();
      assert.equal((await stage.next("running"))?.value, created.value);
      assert.equal((await stage.next("exited"))?.value, 0);
      assert.equal(await stage.output(), "ran\n");
      assert.equal(existsSync(join(dir, "held")), false);
    });

    it("takes a word that came early", async () => {
      using stage = Stage.start(held());
      stage.go();
      assert.equal((await stage.next("exited"))?.value, 0);
    });

    it("undoes everything when the caller is gone instead", async () => {
      using stage = Stage.start(held());
      const created = await stage.next("created");
      stage.hangUp();
      assert.equal(await stage.end(), "exited 1");
      assert.ok(isGone(created?.value ?? 0));
      assert.equal(existsSync(join(dir, "held")), false);
      assert.equal(await stage.output(), "");
    });

    it("undoes everything on SIGTERM", async () => {
      using stage = Stage.start(held());
      const created = await stage.next("created");
      process.kill(stage.pid, "SIGTERM");
      assert.equal((await stage.next("failed"))?.error, 4);
      assert.ok(isGone(created?.value ?? 0));
      assert.equal(existsSync(join(dir, "held")), false);
    });

    it("never takes a killed child for a running one", async () => {
      using stage = Stage.start(held());
      const created = await stage.next("created");
      killNow(created?.value ?? 0);
      const failed = await stage.next("failed", "running");
      assert.deepEqual([failed?.kind, failed?.opIndex, failed?.error], ["failed", 1, 130]);
      assert.equal(await stage.end(), "exited 1");
    });
  });

  describe("dies", () => {
    it("with its container when killed, if the plan says so", async () => {
      using stage = Stage.start(plan([sh("sleep 100")], { cloneFlags: FULL }));
      const pid = (await stage.next("running"))?.value ?? 0;
      killNow(stage.pid);
      assert.equal(await stage.end(), "killed 9");
      await until("the container is dead", () => isGone(pid));
    });

    it("with its container after the user changed, too", async () => {
      using stage = Stage.start(
        plan(
          [
            planned("child", { kind: "setresgid", gid: 65534 }),
            planned("child", { kind: "setresuid", uid: 65534 }),
            sh("sleep 100"),
          ],
          { cloneFlags: FULL },
        ),
      );
      const pid = (await stage.next("running"))?.value ?? 0;
      assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^Uid:\t65534\t/m);
      killNow(stage.pid);
      await stage.end();
      await until("the container is dead", () => isGone(pid));
    });

    it("alone, if the plan says that", async () => {
      using stage = Stage.start(
        plan([sh("sleep 100")], { cloneFlags: FULL, supervision: { childDiesWithStage: false } }),
      );
      const pid = (await stage.next("running"))?.value ?? 0;
      killNow(stage.pid);
      await stage.end();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(isGone(pid), false);
      killNow(pid);
    });
  });

  describe("injects a fault", () => {
    const faulty = (op: number, pid: number) =>
      plan(
        [
          planned("host", mkdir("fault")),
          planned("child", { kind: "sethostname", name: "x" }),
          sh("sleep 0.05; echo ran"),
          planned("teardown", rmdir("fault")),
        ],
        { cloneFlags: FULL, fault: { op, pid } },
      );

    for (const [op, made] of [
      [0, false],
      [1, true],
      [2, true],
      [3, true],
    ] as const) {
      it(`into itself before op ${op}`, async () => {
        rmSync(join(dir, "fault"), { recursive: true, force: true });
        const outcome = await run(faulty(op, 0));
        assert.equal(outcome.stage, "killed 9");
        assert.equal(existsSync(join(dir, "fault")), made);
        assert.equal(outcome.failed, undefined);
        assert.equal(outcome.output, op === 3 ? "ran\n" : "");
        rmSync(join(dir, "fault"), { recursive: true, force: true });
      });
    }

    it("into another process before an op of the child", async () => {
      using victim = Stage.start(plan([sh("sleep 100")], { cloneFlags: FULL }));
      await victim.next("running");
      const outcome = await run(faulty(1, victim.pid));
      assert.equal(await victim.end(), "killed 9");
      assert.equal(outcome.exited, "exited 0");
    });
  });

  describe("a daemon", () => {
    it("leaves its caller, its session and its directory, and records what it saw", async () => {
      const exitRecord = join(dir, "exit.json");
      using stage = Stage.start(
        plan([sh("sleep 0.1; exit 5")], {
          cloneFlags: FULL,
          supervision: {
            daemon: true,
            relay: {
              tty: false,
              rows: 0,
              cols: 0,
              stdin: "closed",
              firstClient: false,
              exitRecordPath: exitRecord,
              exitDrainMs: 100,
            },
          },
        }),
      );
      const supervisor = (await stage.next("supervisor"))?.value ?? 0;
      assert.notEqual(supervisor, stage.pid);
      assert.equal(await stage.end(), "exited 0");
      const pid = (await stage.next("running"))?.value ?? 0;
      const field = (name: string) =>
        new RegExp(`^${name}:\\t(.*)$`, "m").exec(
          readFileSync(`/proc/${supervisor}/status`, "utf8"),
        )?.[1];
      assert.equal(field("Name"), "tsrun-monitor");
      assert.notEqual(field("PPid"), String(process.pid));
      assert.equal(field("NSsid"), String(supervisor));
      assert.equal(readlinkSync(`/proc/${supervisor}/cwd`), "/");
      assert.deepEqual(
        [0, 1, 2].map((fd) => readlinkSync(`/proc/${supervisor}/fd/${fd}`)),
        ["/dev/null", "/dev/null", "/dev/null"],
      );
      stage.hangUp();
      await until("the exit record is there", () => existsSync(exitRecord));
      const record = JSON.parse(readFileSync(exitRecord, "utf8"));
      assert.deepEqual([record.pid, record.exitCode, record.signal], [pid, 5, null]);
      await until("the supervisor is gone", () => isGone(supervisor));
    });

    it("passes SIGTERM on, and takes no notice of SIGHUP and SIGINT", async () => {
      using stage = Stage.start(
        plan([sh(`trap "exit 9" TERM; trap "exit 1" HUP INT; ${READY_AND_WAIT}`)], {
          supervision: { daemon: true },
        }),
      );
      const supervisor = (await stage.next("supervisor"))?.value ?? 0;
      await stage.end();
      await stage.written();
      process.kill(supervisor, "SIGHUP");
      process.kill(supervisor, "SIGINT");
      process.kill(supervisor, "SIGTERM");
      assert.equal((await stage.next("exited"))?.value, 9);
    });

    it("ends with the exit command, after everything else", async () => {
      const seen = join(dir, "seen");
      const script = 'ls -d "$1" "$2"; ls -l /proc/self/fd; grep Sig /proc/self/status';
      const stage = Stage.start(
        plan([planned("host", mkdir("cg")), exec("/bin/true"), planned("teardown", rmdir("cg"))], {
          supervision: {
            daemon: true,
            relay: {
              tty: false,
              rows: 0,
              cols: 0,
              stdin: "closed",
              firstClient: false,
              exitRecordPath: join(dir, "last.json"),
              exitDrainMs: 100,
              exitCommand: {
                argv: ["sh", "-c", `(${script}) >"$3.new" 2>&1; mv "$3.new" "$3"`, "sh"].concat(
                  join(dir, "last.json"),
                  join(dir, "cg"),
                  seen,
                ),
                env: ["PATH=/bin:/usr/bin"],
                candidates: ["/nowhere/sh", "/bin/sh"],
              },
            },
          },
        }),
      );
      stage.hangUp(); // the caller need not be there any more
      await stage.end();
      stage[Symbol.dispose]();
      await until("the exit command ran", () => existsSync(seen));
      const text = readFileSync(seen, "utf8");
      assert.match(text, /^\S+\/last\.json$/m);
      assert.match(text, /cannot access '\S+\/cg'/);
      // 0, 1 (the file), 2, and what ls opens.
      assert.equal([...text.matchAll(/ -> /g)].length, 4);
      assert.match(text, /^SigBlk:\t0{16}$/m);
      assert.match(text, /^SigIgn:\t0{16}$/m);
    });
  });

  describe("a foreground stage", () => {
    it("passes signals on", async () => {
      using stage = Stage.start(plan([sh(`trap "exit 7" USR1; ${READY_AND_WAIT}`)]));
      await stage.written();
      process.kill(stage.pid, "SIGUSR1");
      assert.equal((await stage.next("exited"))?.value, 7);
    });

    it("dies with the thread that started it, if the plan says so", () => {
      const script = `
        import { Stage, plan, sh } from ${JSON.stringify(join(import.meta.dirname, "stage.ts"))};
        const stage = Stage.start(plan([sh("sleep 100")], { supervision: { dieWithParent: true } }));
        const running = await stage.next("running");
        console.log(stage.pid, running.value);
        process.kill(process.pid, "SIGKILL");`;
      const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
        encoding: "utf8",
      });
      const pids = stdout.trim().split(" ").map(Number);
      assert.equal(pids.length, 2);
      return until("stage and container are gone", () => pids.every(isGone));
    });
  });

  describe("OP_INIT", () => {
    const withInit = (script: string) =>
      plan([planned("child", { kind: "init" }), sh(script)], { cloneFlags: FULL });

    it("stays as PID 1 and passes the exit status on", async () => {
      const outcome = await run(withInit("echo $$; exit 4"));
      assert.equal(outcome.exited, "exited 4");
      assert.notEqual(outcome.output, "1\n");
    });

    it("turns a signal into 128+n", async () => {
      assert.equal((await run(withInit("kill -9 $$"))).exited, "exited 137");
    });

    it("reaps whatever ends", async () => {
      const script = `
        mount -t proc proc /proc
        for i in 1 2 3 4 5; do sh -c 'sh -c "exit 0" & exit 0'; done
        sleep 0.2
        grep -l "^State:.Z" /proc/[0-9]*/status | wc -l`;
      const outcome = await run(
        plan(
          [
            planned("child", {
              kind: "mount",
              source: "none",
              fstype: "",
              data: "",
              flags: 0x44000, // MS_REC | MS_PRIVATE
              at: SLOT_CWD,
              target: "/",
            }),
            planned("child", { kind: "init" }),
            sh(script),
          ],
          { cloneFlags: FULL },
        ),
      );
      assert.equal(outcome.output, "0\n");
    });

    it("passes signals to the command, which alone would be deaf to them", async () => {
      using stage = Stage.start(withInit(`trap "exit 6" TERM; ${READY_AND_WAIT}`));
      await stage.written();
      process.kill(stage.pid, "SIGTERM");
      assert.equal((await stage.next("exited"))?.value, 6);
    });

    it("still tells a failed exec with its op", async () => {
      const outcome = await run(
        plan([planned("child", { kind: "init" }), exec("/nowhere")], { cloneFlags: FULL }),
      );
      assert.equal(outcome.failed, "1 ENOENT");
    });

    it("dies with the stage, and the command with it", async () => {
      using stage = Stage.start(
        plan([planned("child", { kind: "init" }), sh("sleep 100")], { cloneFlags: CLONE.newuts }),
      );
      const init = (await stage.next("running"))?.value ?? 0;
      const command = Number(readFileSync(`/proc/${init}/task/${init}/children`, "utf8").trim());
      killNow(stage.pid);
      await until("both are gone", () => isGone(init) && isGone(command));
    });
  });

  describe("OP_RMDIR", () => {
    it("waits while the directory is busy, and no longer than it is told", async () => {
      const busy = join(dir, "busy");
      mkdirSync(busy);
      const outcome = await run(
        plan(
          [
            planned("child", {
              kind: "mount",
              source: "tmpfs",
              fstype: "tmpfs",
              data: "",
              flags: 0,
              at: SLOT_CWD,
              target: busy,
            }),
            exec("/bin/true"),
          ],
          {}, // in our own mount namespace: it stays
        ),
      );
      assert.equal(outcome.exited, "exited 0");
      try {
        const start = performance.now();
        const failed = await run(plan([planned("host", rmdir("busy", 100)), exec("/bin/true")]));
        assert.equal(failed.failed, "0 EBUSY");
        assert.ok(performance.now() - start >= 95);
      } finally {
        spawnSync("umount", [busy]);
      }
    });
  });

  describe("paths below a root", () => {
    let root = "";
    before(() => {
      root = join(dir, "root");
      mkdirSync(join(root, "etc"), { recursive: true });
      mkdirSync(join(dir, "outside"));
      spawnSync("ln", ["-s", `${dir}/outside`, join(root, "absolute")]);
      spawnSync("ln", ["-s", "../../outside", join(root, "climbing")]);
      spawnSync("ln", ["-s", "/run/made", join(root, "dangling")]);
      spawnSync("ln", ["-s", "loop", join(root, "loop")]);
      writeFileSync(join(root, "file"), "");
    });

    const below = (path: string, mode = 0o755) =>
      run(
        plan([
          planned("host", {
            kind: "open",
            path: root,
            dir: SLOT_CWD,
            flags: O_DIRECTORY_PATH,
            out: slot(0),
          }),
          planned("host", { kind: "mkdirBelow", path, root: slot(0), mode }),
          exec("/bin/true"),
        ]),
      );

    it("are made, with the mode that was asked for", async () => {
      assert.equal((await below("/a/b/c", 0o751)).exited, "exited 0");
      assert.equal(statSync(join(root, "a/b/c")).mode & 0o777, 0o751);
      assert.equal((await below("a/b/c")).exited, "exited 0");
    });

    it("never lead out of it", async () => {
      assert.equal((await below("absolute/x")).exited, "exited 0");
      assert.equal((await below("climbing/y")).exited, "exited 0");
      assert.equal((await below("../../../z")).exited, "exited 0");
      assert.deepEqual(readdirSync(join(dir, "outside")), []);
      assert.ok(existsSync(join(root, dir, "outside/x")));
      assert.ok(existsSync(join(root, "outside/y")));
      assert.ok(existsSync(join(root, "z")));
    });

    it("are completed behind a link to nowhere", async () => {
      assert.equal((await below("dangling/x")).exited, "exited 0");
      assert.ok(existsSync(join(root, "run/made/x")));
    });

    it("may end in a file", async () => {
      const file = 0o100644;
      assert.equal((await below("new/file", file)).exited, "exited 0");
      assert.ok(statSync(join(root, "new/file")).isFile());
      assert.equal((await below("file", file)).exited, "exited 0");
      assert.equal((await below("etc", file)).exited, "exited 0");
    });

    it("tell what is wrong with them", async () => {
      assert.equal((await below("file/x")).failed, "1 ENOTDIR");
      assert.equal((await below("file")).failed, "1 ENOTDIR");
      assert.equal((await below("loop/x")).failed, "1 ELOOP");
    });

    it("are written to without following a link", async () => {
      spawnSync("ln", ["-s", "/etc/passwd", join(root, "link")]);
      const write = (path: string): Op => ({
        kind: "writeFile",
        path,
        data: "x",
        dir: slot(0),
        flags: 0o100, // O_CREAT
      });
      const open = planned("host", {
        kind: "open",
        path: root,
        dir: SLOT_CWD,
        flags: O_DIRECTORY_PATH,
        out: slot(0),
      });
      const outcome = (path: string) =>
        run(plan([open, planned("host", write(path)), exec("/bin/true")]));
      assert.equal((await outcome("link")).failed, "1 ELOOP");
      assert.equal((await outcome("../outside/w")).failed, "1 EXDEV");
      assert.equal((await outcome("written")).exited, "exited 0");
      assert.equal(readFileSync(join(root, "written"), "utf8"), "x");
    });

    it("can be mounted on by slot, file and directory", async () => {
      const open = (path: string, out: number) =>
        planned("child", {
          kind: "openat2",
          path,
          dir: slot(0),
          flags: 0o10000000,
          mode: 0,
          resolve: 0x10, // RESOLVE_IN_ROOT
          out: slot(out),
        });
      const mount = (source: string, fstype: string, at: number, flags: number) =>
        planned("child", {
          kind: "mount",
          source,
          fstype,
          data: "",
          flags,
          at: slot(at),
          target: "",
        });
      const outcome = await run(
        plan(
          [
            // Not in the host phase: that would be a directory of the other mount namespace.
            planned("child", {
              kind: "open",
              path: root,
              dir: SLOT_CWD,
              flags: O_DIRECTORY_PATH,
              out: slot(0),
            }),
            planned("child", {
              kind: "mount",
              source: "",
              fstype: "",
              data: "",
              flags: 0x44000,
              at: SLOT_CWD,
              target: "/",
            }),
            open("etc", 1),
            mount("tmpfs", "tmpfs", 1, 0),
            open("file", 2),
            mount("/etc/hostname", "", 2, 0x1000),
            sh(`pwd; stat -f -c %T ${root}/etc; cmp ${root}/file /etc/hostname && echo same`),
          ],
          { cloneFlags: FULL },
        ),
      );
      assert.deepEqual(outcome.output.trim().split("\n"), [process.cwd(), "tmpfs", "same"]);
      assert.equal(readFileSync(join(root, "file"), "utf8"), "");
    });
  });
});

function stagePath(): string {
  return join(import.meta.dirname, "..", "..", "native", "build", "tsrun-stage");
}

/** Starts the stage with an ordinary file as its plan; prints the report's kind and errno, and the status. */
const UNSEALED = `
import os, socket, struct, sys
ours, theirs = socket.socketpair()
plan = os.open(sys.argv[2], os.O_RDONLY)
pid = os.fork()
if pid == 0:
    high = [os.dup(fd) for fd in (plan, theirs.fileno())]
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
    for i, fd in enumerate(high): os.dup2(fd, 3 + i)
    os.execv(sys.argv[1], ["stage"])
theirs.close()
kind, op, error = struct.unpack("<IIi", ours.recv(24)[:12])
print(kind, error, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
