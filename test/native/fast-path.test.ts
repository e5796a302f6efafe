// @no-vm: nothing in it depends on the machine.
/**
 * tsrun-oci-fast by itself, under the sanitizers: what it does by a file of cases, and that all else reaches
 * the runtime, here an echo(1), as if it were not between. Needs root.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readProcessIdentity } from "../../src/base/process-identity.ts";
import { type Action, type Case, type Check, encodeFastPath } from "../../src/oci/fast-path.ts";
import { NATIVE, until } from "./stage.ts";

const FAST = join(NATIVE, "build/tsrun-oci-fast.asan");
const options = process.getuid?.() === 0 ? {} : { skip: "needs root" };

let base = "";
let root = "";
/** Of the container c1. */
let dir = "";
before(() => {
  execFileSync("flock", [NATIVE, "make", "-s", "-C", NATIVE, "build/tsrun-oci-fast.asan"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  base = mkdtempSync(join(tmpdir(), "tsrun-fast-path-"));
  root = join(base, "state");
  dir = join(root, "c1");
});
after(() => rmSync(base, { recursive: true, force: true }));

/** Anew, with these cases. */
function foresee(...cases: readonly Case[]): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "fast-path"), encodeFastPath(cases), { mode: 0o600 });
}

const when = (
  checks: readonly Check[],
  actions: readonly Action[],
  more: Partial<Case> = {},
): Case => ({ command: "state", flags: "", checks, actions, ...more });

const RUNTIME = ["/bin/echo", "runtime"];

function call(words: readonly string[], { env = {}, runtime = RUNTIME } = {}) {
  const { status, stdout, stderr } = spawnSync(FAST, [...runtime, "--", "script", ...words], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  assert.equal(stderr, "");
  return { status, stdout };
}

const handedOver = (words: readonly string[]) => ({
  status: 0,
  stdout: `${["runtime", "--", "script", ...words].join(" ")}\n`,
});

/** Whether a call of state finds that these hold. */
function holds(checks: readonly Check[], env = {}): boolean {
  foresee(when(checks, [["print", "yes"]]));
  const words = ["--root", root, "state", "c1"];
  const result = call(words, { env });
  if (result.stdout !== "yes") assert.deepEqual(result, handedOver(words));
  return result.stdout === "yes";
}

function does(action: Action, words: readonly string[] = ["state", "c1"]): boolean {
  const [command] = words as [Case["command"]];
  foresee(when([], [action], { command }));
  return call(["--root", root, ...words]).stdout === "";
}

/** In a process group of its own. */
function started(script: string, cwd = base): ChildProcess {
  const stdio = ["ignore", "pipe", "inherit"] as const;
  return spawn("sh", ["-c", script], { cwd, detached: true, stdio: [...stdio] });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-(child.pid as number), "SIGKILL");
  await once(child, "exit");
}

describe("tsrun-oci-fast, the command line", options, () => {
  const yes = () => foresee(when([], [["print", "yes"]]));

  for (const words of [
    ["--root", "ROOT", "state", "c1"],
    ["--root=ROOT", "--systemd-cgroup", "state", "c1"],
    ["--log", "/x", "--log-format", "json", "--root", "ROOT", "--debug", "state", "c1"],
    ["--log=/x", "--log-format=text", "--root", "ROOT/", "state", "c1"],
    ["--root", "/nowhere", "--root", "ROOT", "state", "c1"],
  ]) {
    it(`understands ${words.join(" ")}`, () => {
      yes();
      const result = call(words.map((word) => word.replace("ROOT", root)));
      assert.deepEqual(result, { status: 0, stdout: "yes" });
    });
  }

  for (const words of [
    [],
    ["--root", "ROOT"],
    ["--root"],
    ["--root", "", "state", "c1"],
    ["--root", "state", "state", "c1"],
    ["--root", "ROOT/../state", "state", "c1"],
    ["-root", "ROOT", "state", "c1"],
    ["--rootless", "true", "--root", "ROOT", "state", "c1"],
    ["--roots=ROOT", "state", "c1"],
    ["--log-format=xml", "--root", "ROOT", "state", "c1"],
    ["--version", "--root", "ROOT", "state", "c1"],
    ["--debug=false", "--root", "ROOT", "state", "c1"],
    ["--root", "ROOT", "state"],
    ["--root", "ROOT", "state", "c1", "c1"],
    ["--root", "ROOT", "state", "--", "c1"],
    ["--root", "ROOT", "state", "--help", "c1"],
    ["--root", "ROOT", "state", "c1", "--help"],
    ["--root", "ROOT", "--", "state", "c1"],
    ["--root", "ROOT", "state", ""],
    ["--root", "ROOT", "state", "."],
    ["--root", "ROOT", "state", ".."],
    ["--root", "ROOT", "state", "../state/c1"],
    ["--root", "ROOT", "state", "c1/"],
    ["--root", "ROOT", "state", "c2"],
    ["--root", "ROOT", "list", "c1"],
    ["--root", "ROOT", "kill", "c1", "9", "9"],
    ["--root", "ROOT", "delete", "--force", "--force", "c1"],
  ]) {
    it(`hands over ${JSON.stringify(words.join(" "))}, word for word`, () => {
      yes();
      const given = words.map((word) => word.replace("ROOT", root));
      assert.deepEqual(call(given), handedOver(given));
    });
  }

  it("takes the flag of a command before the id or behind it", () => {
    const words = [
      ["delete", "--force", "c1"],
      ["delete", "c1", "--force"],
    ];
    for (const typed of words) {
      foresee(when([], [["print", "yes"]], { command: "delete", flags: "--force" }));
      assert.equal(call(["--root", root, ...typed]).stdout, "yes");
      foresee(when([], [["print", "yes"]], { command: "delete", flags: "" }));
      assert.match(call(["--root", root, ...typed]).stdout, /^runtime/);
    }
  });

  it("says how it is used where there is nothing to execute", () => {
    for (const args of [[], ["/bin/echo"], ["/bin/echo", "runtime"], ["/bin/echo", "--"]]) {
      const { status, stderr } = spawnSync(FAST, args, { encoding: "utf8" });
      assert.equal(status, 126);
      assert.match(stderr, /^usage: tsrun-oci-fast /);
    }
    const { status, stderr } = spawnSync(FAST, ["/nowhere", "--", "x"], { encoding: "utf8" });
    assert.deepEqual(
      { status, stderr },
      {
        status: 126,
        stderr: 'tsrun-oci: cannot execute "/nowhere": No such file or directory\n',
      },
    );
  });
});

describe("tsrun-oci-fast, what the runtime finds", options, () => {
  it("has the caller's descriptors and signals, and no file of ours", () => {
    foresee(when([["exists", "nothing"]], []));
    const words = ["--root", root, "state", "c1"];
    const script = "ls -l /proc/self/fd; grep SigIgn /proc/self/status";
    const through = call(words, { runtime: ["/bin/sh", "-c", script] }).stdout;
    const direct = spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" }).stdout;
    const kinds = (text: string) =>
      text
        .split("\n")
        .map((line) =>
          line.replace(/^.* (\d+ -> .*?)[\d:[\]]*$/, "$1").replace(/\/proc\/\d+\//, ""),
        );
    assert.deepEqual(kinds(through), kinds(direct));
  });

  it("is executed at once where a standard descriptor is closed", () => {
    foresee(when([], [["write", join(base, "touched"), "x"]]));
    writeFileSync(join(base, "touched"), "");
    for (const closed of ["<&-", "2>&-", ">&-"]) {
      const command = `exec "$@" ${closed}`;
      const runtime = ["/bin/sh", "-c", `echo runtime > ${base}/ran`];
      const words = ["--", "script", "--root", root, "state", "c1"];
      spawnSync("sh", ["-c", command, "sh", FAST, ...runtime, ...words]);
      assert.equal(readFileSync(join(base, "ran"), "utf8"), "runtime\n", closed);
      rmSync(join(base, "ran"));
    }
    assert.equal(readFileSync(join(base, "touched"), "utf8"), "");
  });
});

describe("tsrun-oci-fast, the file", options, () => {
  const words = () => ["--root", root, "state", "c1"];
  const file = () => join(dir, "fast-path");

  it("is used whole or not at all", () => {
    foresee(
      when([["unset", "SOMETHING"]], [["print", "first"]], { command: "delete" }),
      when([["exists", "."]], [["print", "second"]]),
    );
    const whole = readFileSync(file());
    assert.equal(call(words()).stdout, "second");
    for (let size = 0; size < whole.length; size += 1) {
      writeFileSync(file(), whole.subarray(0, size));
      assert.deepEqual(call(words()), handedOver(words()), `${size} of ${whole.length} bytes`);
    }
  });

  it("is none with another version, an unknown word, or more than a file may hold", () => {
    const contents = [
      "tsrun-fast-path 2\0case\0state\0\0print\0yes\0end\0",
      "tsrun-fast-path 1\0state\0\0print\0yes\0end\0",
      "tsrun-fast-path 1\0case\0state\0\0conjure\0print\0yes\0end\0",
      `tsrun-fast-path 1\0case\0state\0\0print\0${"y".repeat(256 * 1024)}\0end\0`,
    ];
    for (const text of contents) {
      foresee();
      writeFileSync(file(), text);
      assert.deepEqual(call(words()), handedOver(words()));
    }
  });

  it("is nobody else's, and no link", () => {
    const spoil = [
      () => chmodSync(file(), 0o620),
      () => chmodSync(file(), 0o602),
      () => chownSync(file(), 12345, 0),
      () => {
        writeFileSync(join(base, "elsewhere"), readFileSync(file()), { mode: 0o600 });
        rmSync(file());
        symlinkSync(join(base, "elsewhere"), file());
      },
      () => {
        rmSync(file());
        mkdirSync(file());
      },
      () => {
        const moved = join(base, "moved");
        rmSync(moved, { recursive: true, force: true });
        mkdirSync(moved);
        writeFileSync(join(moved, "fast-path"), readFileSync(file()), { mode: 0o600 });
        rmSync(dir, { recursive: true });
        symlinkSync(moved, dir);
      },
    ];
    for (const how of spoil) {
      foresee(when([], [["print", "yes"]]));
      assert.equal(call(words()).stdout, "yes");
      how();
      assert.deepEqual(call(words()), handedOver(words()), String(how));
    }
  });

  it("has the first case that fits done, and no other after an action that failed", () => {
    foresee(
      when([["exists", "nothing"]], [["print", "one"]]),
      when([["absent", "nothing"]], [["print", "two"]]),
      when([], [["print", "three"]]),
    );
    assert.equal(call(words()).stdout, "two");
    foresee(when([], [["write", join(base, "nothing"), "1"]]), when([], [["print", "next"]]));
    assert.deepEqual(call(words()), handedOver(words()));
  });
});

describe("tsrun-oci-fast, checks", options, () => {
  const BOOT = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

  it("knows this boot", () => {
    assert.equal(holds([["boot", BOOT]]), true);
    assert.equal(holds([["another-boot", BOOT]]), false);
    assert.equal(holds([["boot", BOOT.replace(/^./, "x")]]), false);
    assert.equal(holds([["another-boot", BOOT.replace(/^./, "x")]]), true);
  });

  it("tells a process from a zombie, and from another with its number", async () => {
    // What sleep is the parent of, it never collects. The name of the command is no help to find its end.
    const name = join(base, "a) Z (b");
    symlinkSync("/bin/sleep", name);
    const child = started(`sleep 60 & echo $!; exec "${name}" 60`);
    try {
      const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, "data")) as [
        Buffer,
      ];
      const zombie = Number(line.toString());
      const command = () => readFileSync(`/proc/${child.pid}/comm`, "utf8");
      await until("its parent, which is a shell no more", () => command() === "a) Z (b\n");
      process.kill(zombie, "SIGKILL");
      await until("the zombie", () => /\) Z /.test(readFileSync(`/proc/${zombie}/stat`, "latin1")));
      const identity = (pid: number) =>
        [String(pid), readProcessIdentity(pid)?.startTime ?? ""] as const;
      const seen = (pid: string, time: string) => ({
        alive: holds([["alive", pid, time]]),
        ended: holds([["ended", pid, time]]),
      });
      const [pid, time] = identity(child.pid as number);
      assert.deepEqual(seen(pid, time), { alive: true, ended: false });
      assert.deepEqual(seen(pid, `${time}1`), { alive: false, ended: true });
      assert.deepEqual(seen(pid, time.slice(1)), { alive: false, ended: true });
      assert.deepEqual(seen(...identity(zombie)), { alive: false, ended: true });
      await end(child);
      assert.deepEqual(seen(pid, time), { alive: false, ended: true });
    } finally {
      await end(child);
    }
  });

  it("looks for files, in the container's directory or anywhere", () => {
    assert.equal(holds([["exists", "fast-path"]]), true);
    assert.equal(holds([["absent", "fast-path"]]), false);
    assert.equal(holds([["exists", "nothing"]]), false);
    assert.equal(holds([["absent", "nothing"]]), true);
    assert.equal(holds([["exists", base]]), true);
    assert.equal(holds([["absent", `${base}/nothing`]]), true);
    // What is below a file cannot be looked at: neither.
    assert.equal(holds([["absent", "fast-path/x"]]), false);
    assert.equal(holds([["exists", "fast-path/x"]]), false);
  });

  it("reads a cgroup's events, of which one that is gone has none", () => {
    const cgroup = join(base, "cgroup");
    const answers = (events: string | undefined) => {
      rmSync(cgroup, { recursive: true, force: true });
      mkdirSync(cgroup);
      if (events !== undefined) writeFileSync(join(cgroup, "cgroup.events"), events);
      return (["frozen", "thawed", "unpopulated"] as const).filter((name) =>
        holds([[name, cgroup]]),
      );
    };
    assert.deepEqual(answers("populated 1\nfrozen 0\n"), ["thawed"]);
    assert.deepEqual(answers("populated 1\nfrozen 1\n"), ["frozen"]);
    assert.deepEqual(answers("populated 0\nfrozen 0\n"), ["thawed", "unpopulated"]);
    assert.deepEqual(answers(undefined), ["thawed", "unpopulated"]);
    assert.deepEqual(answers("unfrozen 1\n"), []);
    assert.deepEqual(answers(""), []);
  });

  it("takes for a signal's number what no shell, no engine and no person could mean otherwise", () => {
    const isNumber = (...signal: string[]) => {
      foresee(when([["signal-is-a-number"]], [["print", "yes"]], { command: "kill" }));
      return call(["--root", root, "kill", "c1", ...signal]).stdout === "yes";
    };
    for (const signal of ["1", "9", "15", "64"]) assert.equal(isNumber(signal), true, signal);
    for (const signal of ["0", "65", "015", "9x", "KILL", "1 ", "+9", "100", ""]) {
      assert.equal(isNumber(signal), false, signal);
    }
    assert.equal(isNumber(), false);
  });

  it("compares the signal, and sees what is set", () => {
    const is9 = (...signal: string[]) => {
      foresee(when([["signal-is", "9"]], [["print", "yes"]], { command: "kill", flags: "--all" }));
      return call(["--root", root, "kill", "--all", "c1", ...signal]).stdout === "yes";
    };
    assert.equal(is9("9"), true);
    assert.equal(is9("15"), false);
    assert.equal(is9(), false);
    assert.equal(holds([["unset", "TSRUN_TEST_X"]]), true);
    assert.equal(holds([["unset", "TSRUN_TEST_X"]], { TSRUN_TEST_X: "" }), true);
    assert.equal(holds([["unset", "TSRUN_TEST_X"]], { TSRUN_TEST_X: "y" }), false);
  });
});

describe("tsrun-oci-fast, actions", options, () => {
  it("prints all of a text, and is content with a reader that has gone", () => {
    const text = `${"x".repeat(200_000)}\n`;
    foresee(when([], [["print", text]]));
    const words = ["/bin/echo", "runtime", "--", "script", "--root", root, "state", "c1"];
    assert.equal(call(words.slice(4)).stdout, text);
    const script = 'trap "" PIPE; { sleep 0.1; "$@"; echo $? >&2; } | true';
    const { stderr } = spawnSync("sh", ["-c", script, "sh", FAST, ...words], { encoding: "utf8" });
    assert.equal(stderr, "0\n");
  });

  it("writes into a file that is there", () => {
    writeFileSync(join(base, "written"), "");
    assert.equal(does(["write", join(base, "written"), "1"]), true);
    assert.equal(readFileSync(join(base, "written"), "utf8"), "1");
    assert.equal(does(["write", join(base, "nowhere"), "1"]), false);
    assert.equal(existsSync(join(base, "nowhere")), false);
    assert.equal(does(["write", "/dev/full", "1"]), false);
  });

  it("waits for what freezes, for a second", async () => {
    const cgroup = join(base, "freezing");
    mkdirSync(cgroup);
    const events = join(cgroup, "cgroup.events");
    writeFileSync(events, "frozen 0\n");
    assert.equal(does(["await-frozen", cgroup]), false);
    const child = started(`sleep 0.1; echo "frozen 1" > ${events}`);
    assert.equal(does(["await-frozen", cgroup]), true);
    await end(child);
    assert.equal(does(["await-frozen", join(base, "nowhere")]), false);
  });

  it("signals a process, and no other that has its number", async () => {
    const child = started('trap "echo got" USR1; echo ready; while :; do sleep 0.05; done');
    try {
      const output = child.stdout as NonNullable<typeof child.stdout>;
      assert.equal(String((await once(output, "data"))[0]), "ready\n");
      const pid = child.pid as number;
      const { startTime = "" } = readProcessIdentity(pid) ?? {};
      assert.equal(
        does(["signal", String(pid), `${startTime}0`, "given"], ["kill", "c1", "9"]),
        false,
      );
      assert.equal(does(["signal", String(pid), startTime, "given"], ["kill", "c1", "10"]), true);
      assert.equal(String((await once(output, "data"))[0]), "got\n");
      assert.equal(does(["signal", String(pid), startTime, "10"], ["kill", "c1", "KILL"]), true);
      assert.equal(String((await once(output, "data"))[0]), "got\n");
      await end(child);
      assert.equal(does(["signal", String(pid), startTime, "9"], ["kill", "c1", "9"]), false);
    } finally {
      await end(child);
    }
  });

  it("removes an empty cgroup, and one that is gone", () => {
    const cgroup = join(base, "old");
    mkdirSync(join(cgroup, "child"), { recursive: true });
    assert.equal(does(["remove-cgroup", cgroup]), false);
    rmSync(join(cgroup, "child"), { recursive: true });
    assert.equal(does(["remove-cgroup", cgroup]), true);
    assert.equal(existsSync(cgroup), false);
    assert.equal(does(["remove-cgroup", cgroup]), true);
  });

  it("removes a container's files, or none where a directory is among them", () => {
    foresee(when([], [["remove-records"]], { command: "delete" }));
    mkdirSync(join(dir, "notify"));
    writeFileSync(join(dir, "state.json"), "{}");
    const words = ["--root", root, "delete", "c1"];
    assert.deepEqual(call(words), handedOver(words));
    assert.deepEqual(readdirSync(dir).sort(), ["fast-path", "notify", "state.json"]);
    rmSync(join(dir, "notify"), { recursive: true });
    execFileSync("mkfifo", [join(dir, "result.fifo")]);
    symlinkSync("/etc/passwd", join(dir, "link"));
    assert.deepEqual(call(words), { status: 0, stdout: "" });
    assert.deepEqual(readdirSync(root), []);
    assert.ok(existsSync("/etc/passwd"));
  });

  it("leaves more files than a container has to the runtime", () => {
    foresee(when([], [["remove-records"]], { command: "delete" }));
    for (let index = 0; index < 20; index += 1) writeFileSync(join(dir, `file${index}`), "");
    const words = ["--root", root, "delete", "c1"];
    assert.deepEqual(call(words), handedOver(words));
    assert.equal(readdirSync(dir).length, 21);
  });
});

describe("tsrun-oci-fast, release", options, () => {
  const words = () => ["--root", root, "start", "c1"];
  const SHOW = [
    "/bin/sh",
    "-c",
    'echo "fd=$TSRUN_OCI_RESULT_FD"; [ -z "$TSRUN_OCI_RESULT_FD" ] || cat <&$TSRUN_OCI_RESULT_FD',
  ];

  /** Who waits as a created container does, and then does `script`. */
  async function waiting(script: string): Promise<ChildProcess> {
    foresee(when([], [["release", "exec.fifo", "result.fifo"]], { command: "start" }));
    execFileSync("mkfifo", [join(dir, "exec.fifo"), join(dir, "result.fifo")]);
    const child = started(
      `exec 3<>exec.fifo 4<>result.fifo; echo ready; dd bs=1 count=1 <&3 2>&-; ${script}`,
      dir,
    );
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    return child;
  }

  it("lets the process go on, and returns when it has closed the result", async () => {
    const child = await waiting("sleep 0.2; touch ../done; exec sleep 60 3>&- 4>&-");
    try {
      assert.deepEqual(call(words(), { runtime: SHOW }), { status: 0, stdout: "" });
      assert.ok(existsSync(join(root, "done")));
      assert.equal(existsSync(join(dir, "exec.fifo")), false);
    } finally {
      await end(child);
    }
  });

  it("returns when the process ends instead", async () => {
    const child = await waiting("exit 1");
    assert.deepEqual(call(words(), { runtime: SHOW }), { status: 0, stdout: "" });
    await end(child);
  });

  it("hands a failure over to the runtime, unread", async () => {
    const child = await waiting("printf failure >&4; exit 1");
    const { stdout } = call(words(), { runtime: SHOW });
    assert.match(stdout, /^fd=\d+\nfailure$/);
    await end(child);
  });

  it("does not start what another starts, what has ended, or what never waited", async () => {
    const child = await waiting("exec sleep 60 3>&- 4>&-");
    await end(child);
    assert.deepEqual(call(words(), { runtime: SHOW }).stdout, "fd=\n");
    assert.ok(existsSync(join(dir, "exec.fifo")));
    rmSync(join(dir, "exec.fifo"));
    assert.deepEqual(call(words(), { runtime: SHOW }).stdout, "fd=\n");
    rmSync(join(dir, "result.fifo"));
    assert.deepEqual(call(words(), { runtime: SHOW }).stdout, "fd=\n");
  });

  it("starts it once, however many try", async () => {
    const child = await waiting("exec sleep 60 3>&- 4>&-");
    try {
      const args = [...SHOW, "--", "script", ...words()];
      const calls = Array.from({ length: 8 }, async () => {
        const one = spawn(FAST, args, { stdio: ["ignore", "pipe", "inherit"] });
        const output: Buffer[] = [];
        one.stdout.on("data", (data: Buffer) => output.push(data));
        await once(one, "close");
        return Buffer.concat(output).toString();
      });
      const outputs = await Promise.all(calls);
      assert.deepEqual(outputs.toSorted(), ["", ...Array(7).fill("fd=\n")]);
    } finally {
      await end(child);
    }
  });
});

describe("tsrun-oci-fast, delete --force", options, () => {
  it("is done where there is nothing", () => {
    rmSync(root, { recursive: true, force: true });
    const words = ["--root", root, "delete", "--force", "c1"];
    assert.deepEqual(call(words), { status: 0, stdout: "" });
    mkdirSync(root);
    assert.deepEqual(call(words), { status: 0, stdout: "" });
    for (const other of [
      ["delete", "c1"],
      ["kill", "--force", "c1"],
      ["state", "c1"],
    ]) {
      const typed = ["--root", root, ...other];
      assert.deepEqual(call(typed), handedOver(typed));
    }
  });

  it("is the runtime's where something is left of a creation", () => {
    mkdirSync(dir, { recursive: true });
    const words = ["--root", root, "delete", "--force", "c1"];
    assert.deepEqual(call(words), handedOver(words));
    rmSync(dir, { recursive: true });
    writeFileSync(dir, "");
    assert.deepEqual(call(words), handedOver(words));
    rmSync(dir);
  });
});
