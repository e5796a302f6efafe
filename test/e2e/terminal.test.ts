/** Containers in a real terminal, and containers in a pipe. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cli, TSRUN } from "../support/cli.ts";
import { Pty, type PtyOptions } from "../support/pty.ts";

let cli: Cli;
before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** tsrun, typed in a terminal of its own. */
const typed = (args: readonly string[], options: PtyOptions = {}) =>
  new Pty(TSRUN, args, { ...options, env: { ...cli.env, ...options.env } });

const state = (name: string) => cli.ok("inspect", "-f", "{{.State.Status}}", name);

/** Asks again until it is so. */
async function becomes(ask: () => Promise<string>, wanted: string): Promise<void> {
  let answer = "";
  for (let tries = 0; tries < 200; tries++) {
    answer = await ask();
    if (answer === wanted) return;
    await sleep(50);
  }
  assert.equal(answer, wanted);
}

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_P = "\u0010";
const CTRL_Q = "\u0011";
const CTRL_Z = "\u001a";

/** Says "ready" when it can be typed to, and "int" at each ctrl-C; ends with status 5 at "end". */
const LISTENING =
  'trap \'echo int\' INT; stty -echo; echo ready; while :; do read -r x && echo "<$x>"; [ "$x" = end ] && exit 5; done';

/** The two ways to a terminal in a container; `before` starts what the second one needs. */
const WAYS = [
  { name: "run -it", args: ["run", "--rm", "-it"], target: "busybox" },
  { name: "exec -it", args: ["exec", "-it"], target: "box" },
] as const;

for (const way of WAYS) {
  const shell = (script: string, options: readonly string[] = [], pty: PtyOptions = {}) =>
    typed([...way.args, ...options, way.target, "sh", "-c", script], pty);

  describe(way.name, () => {
    before(() => cli.ok("run", "-d", "--init", "--name", "box", "busybox", "sleep", "1000"));
    after(() => cli.ok("rm", "-f", "box"));

    it("has a terminal as large as the window, and its type", async () => {
      await using pty = shell("tty; stty size; echo $TERM", [], { rows: 31, cols: 117 });
      await pty.waitFor(/\/dev\/pts\/\d+\r\n31 117\r\nxterm\r\n/);
      assert.deepEqual(await pty.waitForExit(), { code: 0, signal: null });
    });

    it("tells of a window that changes its size", async () => {
      await using pty = shell("trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done");
      await pty.waitFor(/ready/);
      pty.resize({ rows: 50, cols: 132 });
      await pty.waitFor(/50 132/);
      pty.resize({ rows: 10, cols: 20 });
      await pty.waitFor(/10 20/);
    });

    it("leaves every key to the container: echo, ctrl-C, ctrl-\\ and ctrl-Z", async () => {
      await using pty = shell("stty -echo raw; echo ready; head -c 6 | hexdump -C");
      const cooked = pty.modes();
      await pty.waitFor(/ready/);
      assert.notEqual(pty.modes(), cooked);
      pty.type(`${CTRL_C}\u001c${CTRL_Z}${CTRL_D}\r\n`);
      await pty.waitFor(/03 1c 1a 04 0d 0a/);
      assert.equal((await pty.waitForExit()).code, 0);
      assert.equal(pty.modes(), cooked);
    });

    it("echoes what is typed once, and ctrl-C interrupts in the container alone", async () => {
      await using pty = shell(
        "trap 'echo int' INT; echo ready; while :; do read -r x; echo \"<$x>\"; done",
      );
      await pty.waitFor(/ready/);
      pty.type("word\r");
      await pty.waitFor(/^\r\nword\r\n<word>\r\n$/);
      pty.type(CTRL_C);
      await pty.waitFor(/int/);
      pty.type("on\r");
      await pty.waitFor(/<on>/);
    });

    it("has job control: ctrl-Z stops the job, fg goes on with it", async () => {
      await using pty = typed([...way.args, way.target, "sh"]);
      await pty.waitFor(/# /);
      // A key that is hit before the shell has given the terminal to the job would go to the shell.
      pty.type("echo go; cat\r");
      await pty.waitFor(/\r\ngo\r\n/);
      pty.type("one\r");
      await pty.waitFor(/one\r\none\r\n/);
      pty.type(CTRL_Z);
      await pty.waitFor(/Stopped/);
      pty.type("fg\r");
      await pty.waitFor(/fg\r\ncat\r\n/);
      pty.type("two\r");
      await pty.waitFor(/two\r\ntwo\r\n/);
      pty.type(CTRL_D);
      await pty.waitFor(/# /);
      pty.type("exit 6\r");
      assert.equal((await pty.waitForExit()).code, 6);
    });

    it("ends with its status and a terminal that is as before, whatever the program did", async () => {
      await using pty = shell("stty raw -echo; echo ready; exit 9");
      const cooked = pty.modes();
      assert.deepEqual(await pty.waitForExit(), { code: 9, signal: null });
      assert.equal(pty.modes(), cooked);
    });

    for (const signal of ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"] as const) {
      it(`gives the terminal back when tsrun gets ${signal}`, async () => {
        await using pty = shell(LISTENING);
        const cooked = pty.modes();
        await pty.waitFor(/ready/);
        assert.notEqual(pty.modes(), cooked);
        pty.child.kill(signal);
        assert.deepEqual(await pty.waitForExit(), { code: null, signal });
        assert.equal(pty.modes(), cooked);
      });
    }

    it("gives the terminal back while it is stopped, and takes it when it goes on", async () => {
      await using pty = shell(LISTENING);
      const cooked = pty.modes();
      await pty.waitFor(/ready/);
      const raw = pty.modes();
      pty.child.kill("SIGTSTP");
      await becomes(async () => pty.modes(), cooked);
      await becomes(async () => processState(pty.child.pid), "T");
      pty.resize({ rows: 12, cols: 34 });
      pty.child.kill("SIGCONT");
      await becomes(async () => pty.modes(), raw);
      pty.type("on\r");
      await pty.waitFor(/<on>/);
    });

    it("shows an error with the terminal as it was", async () => {
      await using pty = typed([...way.args, way.target, "frobnicate"]);
      const cooked = pty.modes();
      await pty.waitFor(/Error: cannot execute "frobnicate"[^\n]*\r\nHint: /);
      assert.equal((await pty.waitForExit()).code, 127);
      assert.equal(pty.modes(), cooked);
    });
  });
}

/** "T" for a stopped one; proc_pid_stat(5). */
function processState(pid = 0): string {
  return /\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
}

describe("the detach keys", () => {
  it("leave a container running, and attach comes back", async () => {
    await using pty = typed(["run", "-it", "--name", "left", "busybox", "sh", "-c", LISTENING]);
    const cooked = pty.modes();
    await pty.waitFor(/ready/);
    pty.type(CTRL_P);
    pty.type("a\r");
    const held = await pty.waitFor(/<(.*)a>/);
    assert.equal(held[1], CTRL_P, "half of the keys belongs to the container");
    pty.type(`${CTRL_P}${CTRL_Q}`);
    assert.deepEqual(await pty.waitForExit(), { code: 0, signal: null });
    assert.equal(pty.modes(), cooked);
    assert.equal(await state("left"), "running");

    await using back = typed(["attach", "left"]);
    await attached(back);
    back.type("end\r");
    assert.deepEqual(await back.waitForExit(), { code: 5, signal: null });
    await cli.ok("rm", "left");
  });

  it("are those that were asked for, or none", async () => {
    const run = ["run", "-it", "--name", "keys"];
    const command = ["busybox", "sh", "-c", LISTENING];
    await using own = typed([...run, "--detach-keys", "ctrl-x,y", ...command]);
    await own.waitFor(/ready/);
    own.type(`${CTRL_P}${CTRL_Q}\r`);
    await own.waitFor(new RegExp(`<${CTRL_P}.*>`));
    own.type("\u0018y");
    assert.equal((await own.waitForExit()).code, 0);
    assert.equal(await state("keys"), "running");

    await using none = typed(["attach", "--detach-keys", "", "keys"]);
    await attached(none);
    none.type(`${CTRL_P}${CTRL_Q}z\r`);
    await none.waitFor(new RegExp(`<${CTRL_P}.*z>`));
    await cli.ok("rm", "-f", "keys");
    assert.equal((await none.waitForExit()).code, 137);
  });

  it("leave an exec, too, and what it runs goes on", async () => {
    await cli.ok("run", "-d", "--name", "host", "busybox", "sleep", "1000");
    await using pty = typed(["exec", "-it", "host", "sh", "-c", "echo ready; sleep 999"]);
    const cooked = pty.modes();
    await pty.waitFor(/ready/);
    pty.type(`${CTRL_P}${CTRL_Q}`);
    assert.deepEqual(await pty.waitForExit(), { code: 0, signal: null });
    assert.equal(pty.modes(), cooked);
    assert.match(await cli.ok("top", "host", "args"), /sleep 999/);
    await cli.ok("rm", "-f", "host");
  });
});

/** Waits until it is heard by a container that runs LISTENING. */
async function attached(pty: Pty): Promise<void> {
  const cooked = pty.modes();
  await becomes(async () => String(pty.modes() !== cooked), "true");
  for (let tries = 0; tries < 100 && !pty.output.includes("<hello>"); tries++) {
    pty.type("hello\r");
    await sleep(100);
  }
  await pty.waitFor(/<hello>/);
}

describe("attach", () => {
  it("joins a container that was started with -d -it, from several terminals", async () => {
    await cli.ok("run", "-dit", "--name", "shared", "busybox", "sh", "-c", LISTENING);
    await using one = typed(["attach", "shared"], { rows: 20, cols: 60 });
    await attached(one);
    await using two = typed(["attach", "shared"]);
    await attached(two);

    one.type("from one\r");
    await two.waitFor(/<from one>/);
    two.type("from two\r");
    await one.waitFor(/<from two>/);
    two.type(CTRL_C);
    await one.waitFor(/int/);

    two.type(`${CTRL_P}${CTRL_Q}`);
    assert.equal((await two.waitForExit()).code, 0);
    one.type("still here\r");
    await one.waitFor(/<still here>/);
    one.type("end\r");
    assert.equal((await one.waitForExit()).code, 5);
    await cli.ok("rm", "shared");
  });

  it("gives the size of the last window that changed", async () => {
    await cli.ok(
      ...["run", "-dit", "--name", "sized", "busybox", "sh", "-c"],
      "trap 'stty size' WINCH; while :; do sleep 0.05; done",
    );
    await using one = typed(["attach", "sized"], { rows: 33, cols: 44 });
    await one.waitFor(/33 44/);
    await using two = typed(["attach", "sized"], { rows: 55, cols: 66 });
    await two.waitFor(/55 66/);
    one.resize({ rows: 11, cols: 22 });
    await two.waitFor(/11 22/);
    await cli.ok("rm", "-f", "sized");
    assert.equal((await one.waitForExit()).code, 137);
    assert.equal((await two.waitForExit()).code, 137);
  });

  it("--no-stdin only looks on", async () => {
    await cli.ok("run", "-dit", "--name", "seen", "busybox", "sh", "-c", LISTENING);
    await using writer = typed(["attach", "seen"]);
    await attached(writer);
    await using reader = typed(["attach", "--no-stdin", "seen"]);
    for (let tries = 0; tries < 100 && !reader.output.includes("<said>"); tries++) {
      writer.type("said\r");
      await sleep(100);
    }
    await reader.waitFor(/<said>/);
    reader.type("unheard\r");
    writer.type("last\r");
    await writer.waitFor(/<last>/);
    assert.ok(!writer.output.includes("<unheard>"));
    await cli.ok("rm", "-f", "seen");
  });

  it("without a terminal has stdout and stderr apart, and several readers", async () => {
    await cli.ok(
      ...["run", "-di", "--name", "plain", "busybox", "sh", "-c"],
      "read -r go; echo out; echo err >&2; exit 4",
    );
    const reader = cli.run(["attach", "--no-stdin", "plain"]);
    await becomes(async () => String(await attachedClients("plain")), "1");
    const writer = await cli.run(["attach", "plain"], { input: "go\n" });
    for (const { status, stdout, stderr } of [writer, await reader]) {
      assert.deepEqual([status, stdout, stderr], [4, "out\n", "err\n"]);
    }
    await cli.ok("rm", "plain");
  });
});

/** How often the container was attached to. */
async function attachedClients(name: string): Promise<number> {
  const past = ["events", "--since", "1h", "--stream=false", "--filter", `container=${name}`];
  const lines = await cli.ok(...past, "--filter", "event=attach");
  return lines === "" ? 0 : lines.split("\n").length;
}

describe("a terminal that ends with its container", () => {
  it("is given back when the container is killed from elsewhere", async () => {
    await using pty = typed(["run", "-it", "--name", "victim", "busybox", "sh", "-c", LISTENING]);
    const cooked = pty.modes();
    await pty.waitFor(/ready/);
    await cli.ok("kill", "victim");
    assert.deepEqual(await pty.waitForExit(), { code: 137, signal: null });
    assert.equal(pty.modes(), cooked);
    await cli.ok("rm", "victim");
  });

  it("is given back when the supervisor is killed, with one sentence", async () => {
    await using pty = typed(["run", "-it", "--name", "orphan", "busybox", "sh", "-c", LISTENING]);
    const cooked = pty.modes();
    await pty.waitFor(/ready/);
    process.kill(await supervisorOf("orphan"), "SIGKILL");
    const { code } = await pty.waitForExit();
    assert.equal(code, 125);
    assert.match(pty.output, /Error: [^\n]*supervisor[^\n]*\r\nHint: /);
    assert.equal(pty.modes(), cooked);
    await cli.ok("rm", "-f", "orphan");
  });

  it("does not take the container along when the window is closed", async () => {
    const pty = typed(["run", "-it", "--name", "closed", "busybox", "sh", "-c", LISTENING]);
    await pty.waitFor(/ready/);
    pty.close();
    const { code, signal } = await pty.waitForExit();
    assert.deepEqual({ code, signal }, { code: null, signal: "SIGHUP" });
    assert.equal(await state("closed"), "running");
    await cli.ok("rm", "-f", "closed");
  });

  it("with --rm leaves nothing when tsrun itself was killed and the container ends", async () => {
    await using pty = typed(["run", "--rm", "-it", "--name", "later", "busybox", "sh"]);
    await pty.waitFor(/# /);
    pty.child.kill("SIGKILL");
    await pty.waitForExit();
    assert.equal(await state("later"), "running");
    await cli.ok("kill", "later");
    await becomes(() => cli.ok("ps", "-aq", "--filter", "name=later"), "");
  });
});

/** The parent of the container's first process. */
async function supervisorOf(name: string): Promise<number> {
  const pid = await cli.ok("inspect", "-f", "{{.State.Pid}}", name);
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe("run in a terminal without -t", () => {
  it("passes ctrl-C on and keeps the terminal's own modes", async () => {
    const script = "trap 'echo int; exit 3' INT; echo ready; while :; do sleep 0.05; done";
    await using pty = typed(["run", "--rm", "busybox", "sh", "-c", script]);
    const cooked = pty.modes();
    await pty.waitFor(/ready/);
    assert.equal(pty.modes(), cooked);
    pty.type(CTRL_C);
    await pty.waitFor(/int/);
    assert.deepEqual(await pty.waitForExit(), { code: 3, signal: null });
  });

  it("-i reads lines and ends at ctrl-D", async () => {
    await using pty = typed(["run", "--rm", "-i", "busybox", "sh", "-c", "echo ready; cat"]);
    await pty.waitFor(/ready/);
    pty.type("line\r");
    await pty.waitFor(/line\r\nline\r\n/);
    pty.type(CTRL_D);
    assert.equal((await pty.waitForExit()).code, 0);
  });

  it("stops with ctrl-Z like any other job, and goes on", async () => {
    const script = "echo ready; while :; do echo tick; sleep 0.1; done";
    await using pty = new Pty("bash", ["--norc", "-i"], { env: { ...cli.env, PS1: "PROMPT " } });
    await pty.waitFor(/PROMPT /);
    pty.type(`${TSRUN} run --rm --name job busybox sh -c '${script}'\r`);
    await pty.waitFor(/ready\r\ntick/);
    pty.type(CTRL_Z);
    await pty.waitFor(/Stopped/);
    pty.type("fg\r");
    await pty.waitFor(/tick\r\n/);
    pty.type(CTRL_C);
    await pty.waitFor(/PROMPT /);
  });
});

/** 64 MiB in which every byte value and every alignment occurs. */
function noise(): Buffer {
  const block = Buffer.alloc(65_537);
  let seed = 1;
  for (let i = 0; i < block.length; i++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    block[i] = seed >>> 16;
  }
  return Buffer.alloc(64 * 1024 * 1024, block);
}
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

describe("a container in a pipe", () => {
  before(() => cli.ok("run", "-d", "--name", "pipes", "busybox", "sleep", "1000"));
  after(() => cli.ok("rm", "-f", "pipes"));

  for (const [name, args] of [
    ["run -i", ["run", "--rm", "-i", "busybox"]],
    ["exec -i", ["exec", "-i", "pipes"]],
  ] as const) {
    it(`${name} passes 64 MiB on, byte by byte, both ways`, async () => {
      const input = noise();
      const { status, bytes, stderr } = await cli.run([...args, "cat"], { input });
      assert.equal(status, 0, stderr);
      assert.equal(bytes.length, input.length);
      assert.equal(sha256(bytes), sha256(input));
    });

    it(`${name} waits for a reader that is slow, and holds little meanwhile`, async () => {
      const child = spawn(TSRUN, [...args, "sh", "-c", "yes | head -c 100000000"], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, ...cli.env },
      });
      child.stdout.once("readable", () => {});
      await sleep(3000);
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const residentKiB = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      assert.ok(residentKiB < 150_000, `tsrun holds ${residentKiB} KiB`);
      let length = 0;
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) length += chunk.length;
      assert.equal(length, 100_000_000);
    });
  }

  it("keeps stdout and stderr apart when both are full", async () => {
    const script = "yes o | head -c 3000000 & yes e | head -c 3000000 >&2; wait";
    const { status, stdout, stderr } = await cli.run([
      "run",
      "--rm",
      "busybox",
      "sh",
      "-c",
      script,
    ]);
    assert.equal(status, 0);
    assert.equal(stdout, "o\n".repeat(1_500_000));
    assert.equal(stderr, "e\n".repeat(1_500_000));
  });

  it("ends when the reader has what it wants", async () => {
    const { status, stdout } = await cli.shell(
      "tsrun run --rm --name endless busybox yes | head -n 2",
    );
    assert.deepEqual([status, stdout], [0, "y\ny\n"]);
    await becomes(() => cli.ok("ps", "-aq", "--filter", "name=endless"), "");
  });

  for (const closed of ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]) {
    it(`runs with ${closed}`, async () => {
      const marker = cli.file(`closed-${closed.replaceAll(/\W/g, "_")}`);
      const { stdout } = await cli.shell(
        `tsrun run --rm -i -v ${cli.file("")}:/out busybox sh -c 'cat; echo o; echo e >&2; touch /out/closed' ${closed}; echo $? >${marker}`,
      );
      assert.equal(readFileSync(marker, "utf8"), "0\n");
      assert.equal(stdout, closed.includes(">&-") && !closed.startsWith("2") ? "" : "o\n");
    });
  }

  it("takes -t without a terminal of ours", async () => {
    const { status, stdout } = await cli.run(["run", "--rm", "-t", "busybox", "sh", "-c", "tty"]);
    assert.equal(status, 0);
    assert.match(stdout, /^\/dev\/pts\/\d+\r\n$/);
  });

  for (const [name, args] of WAYS.map((way) => [way.name, [...way.args, way.target]] as const)) {
    it(`${name} types what comes from a pipe, its end as ctrl-D, and says that it is odd`, async () => {
      const box = args.map((arg) => (arg === "box" ? "pipes" : arg));
      const { status, stdout, stderr } = await cli.run([...box, "cat"], { input: "line\npart" });
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "line\r\npartline\r\npart");
      assert.match(stderr, /^Warning: stdin is not a terminal[^\n]*\n$/);
    });
  }
});

describe("stats in a terminal", () => {
  it("draws its table over the one before, and ends with the container", async () => {
    await cli.ok("run", "-d", "--name", "seen", "busybox", "sleep", "1000");
    await using pty = typed(["stats", "--interval", "0.2", "seen"]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what homes the cursor and erases below it
    const table = /\u001b\[H\u001b\[JID +NAME +CPU % [^\n]*\r\n[0-9a-f]{12} +seen +\d+\.\d+%/;
    await pty.waitFor(table);
    await pty.waitFor(table);
    await cli.ok("rm", "-f", "seen");
    assert.equal((await pty.waitForExit()).code, 0);
  });

  it("ends at ctrl-C, and leaves the terminal as it was", async () => {
    await cli.ok("run", "-d", "--rm", "--name", "seen", "busybox", "sleep", "1000");
    await using pty = typed(["stats", "seen"]);
    const cooked = pty.modes();
    await pty.waitFor(/seen/);
    pty.type(CTRL_C);
    assert.equal((await pty.waitForExit()).signal, "SIGINT");
    assert.equal(pty.modes(), cooked);
    await cli.ok("rm", "-f", "seen");
  });
});
