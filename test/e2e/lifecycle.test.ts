/** Containers that are hard to stop, write fast, or are many. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readHierarchy } from "../../src/cgroups/index.ts";
import { Cli, TSRUN } from "../support/cli.ts";

const { mountPoint } = readHierarchy();

let cli: Cli;
before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** Asks again until it is so. */
async function until(what: string, ask: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await ask()); tries++) {
    assert.ok(tries < 600, `${what} did not happen`);
    await sleep(50);
  }
}

describe("stop", () => {
  it("ends thousands of processes that do not listen, at once", async () => {
    const script =
      "trap '' TERM; i=0; while [ $i -lt 3000 ]; do sleep 1000 & i=$((i + 1)); done; echo all; wait; while :; do sleep 1; done";
    await cli.ok("run", "-d", "--name", "crowd", "busybox", "sh", "-c", script);
    await until("the last process", async () => (await cli.ok("logs", "crowd")) === "all");
    const { Pid } = JSON.parse(await cli.ok("inspect", "crowd"))[0].State;
    const cgroup = cgroupOf(Pid);
    const pids = readFileSync(`${cgroup}/cgroup.procs`, "utf8").trim().split("\n");
    assert.ok(pids.length > 3000, `${pids.length} processes`);
    await cli.ok("stop", "-t", "1", "crowd");
    assert.equal(
      await cli.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "crowd"),
      "exited 137",
    );
    assert.ok(!existsSync(cgroup));
    assert.deepEqual(
      pids.filter((pid) => stateOf(pid) !== "Z" && stateOf(pid) !== undefined),
      [],
    );
    await cli.ok("rm", "crowd");
  });

  it("ends a paused container, too", async () => {
    await cli.ok("run", "-d", "--name", "frozen", "busybox", "sleep", "1000");
    await cli.ok("pause", "frozen");
    await cli.ok("stop", "-t", "1", "frozen");
    assert.equal(await cli.ok("inspect", "-f", "{{.State.Status}}", "frozen"), "exited");
    await cli.ok("rm", "frozen");
  });

  it("takes the stop signal that was asked for", async () => {
    const script = "trap 'exit 4' USR1; trap '' TERM; echo up; while :; do sleep 0.05; done";
    const run = ["run", "-d", "--name", "own", "--stop-signal", "USR1", "busybox"];
    await cli.ok(...run, "sh", "-c", script);
    await until("the trap", async () => (await cli.ok("logs", "own")) === "up");
    await cli.ok("stop", "own");
    assert.equal(await cli.ok("inspect", "-f", "{{.State.ExitCode}}", "own"), "4");
    await cli.ok("rm", "own");
  });
});

function cgroupOf(pid: number): string {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";
  return `${mountPoint}${path}`;
}

/** proc_pid_stat(5); undefined for one that is gone. */
function stateOf(pid: string): string | undefined {
  try {
    return /\) (.)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined; // ENOENT, or ESRCH in the middle of the read
  }
}

describe("signals to tsrun", () => {
  const script =
    "trap 'echo term' TERM; trap 'echo usr1' USR1; echo up; read -r x; while :; do sleep 0.05; done";

  it("are passed on, those of a user's own, too", async () => {
    const { child, lines } = foreground(
      "run",
      "--rm",
      "--name",
      "proxied",
      "busybox",
      "sh",
      "-c",
      script,
    );
    assert.equal(await lines(), "up");
    child.kill("SIGUSR1");
    assert.equal(await lines(), "usr1");
    child.kill("SIGTERM");
    assert.equal(await lines(), "term");
    await cli.ok("rm", "-f", "proxied");
  });

  it("end tsrun alone with --sig-proxy=false", async () => {
    const { child, lines } = foreground(
      ...["run", "--sig-proxy=false", "--name", "unproxied", "busybox", "sh", "-c", script],
    );
    assert.equal(await lines(), "up");
    const ended = new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
    child.kill("SIGTERM");
    assert.equal(await ended, "SIGTERM");
    assert.equal(await cli.ok("inspect", "-f", "{{.State.Status}}", "unproxied"), "running");
    await cli.ok("rm", "-f", "unproxied");
  });
});

/** tsrun with its lines of stdout, one at a time. */
function foreground(...args: readonly string[]) {
  const env = { ...process.env, ...cli.env };
  const child = spawn(TSRUN, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const reader = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, lines: async () => (await reader.next()).value as string };
}

describe("logs", () => {
  it("lose no line of a million, written as fast as they come", async () => {
    const count = 1_000_000;
    const write = `seq 1 ${count}`;
    await cli.ok("run", "-d", "--name", "fast", "busybox", "sh", "-c", write);
    const followed = await cli.run(["logs", "-f", "fast"]);
    assert.equal(countUp(followed.stdout), count, "followed while it was written");
    assert.equal(countUp((await cli.run(["logs", "fast"])).stdout), count, "read afterwards");
    assert.equal(await cli.ok("logs", "--tail", "2", "fast"), `${count - 1}\n${count}`);
    await cli.ok("rm", "fast");
  });

  it("lose no line to a terminal's reader that is slow", async () => {
    const run = ["run", "--rm", "-t", "busybox", "sh", "-c", "stty -opost; seq 1 100000"];
    const { status, stdout } = await cli.shell(
      `tsrun ${run.map((a) => `'${a}'`).join(" ")} | (sleep 1; cat)`,
    );
    assert.equal(status, 0);
    assert.equal(countUp(stdout), 100_000);
  });

  it("are rotated at max-size, and max-file of them are kept", async () => {
    const options = ["--log-opt", "max-size=100k", "--log-opt", "max-file=3"];
    await cli.ok("run", "--name", "turned", ...options, "busybox", "seq", "1", "20000");
    const id = await cli.ok("inspect", "-f", "{{.Id}}", "turned");
    const files = readdirSync(join(`${cli.env["TSRUN_ROOT"]}`, "containers", id), {
      recursive: true,
      encoding: "utf8",
    }).filter((name) => /log/.test(name) && /\d$|\.log$/.test(name));
    assert.equal(files.length, 3, files.join(" "));
    const kept = (await cli.ok("logs", "turned")).split("\n").map(Number);
    assert.equal(kept.at(-1), 20_000);
    assert.ok(kept.length > 1000 && kept.length < 20_000, `${kept.length} lines`);
    assert.deepEqual(
      kept,
      Array.from(kept, (_, i) => (kept[0] ?? 0) + i),
    );
    await cli.ok("rm", "turned");
  });

  it("--until of a follower ends it", async () => {
    const tick = "while :; do echo tick; sleep 0.1; done";
    await cli.ok("run", "-d", "--name", "ticking", "busybox", "sh", "-c", tick);
    const until = new Date(Date.now() + 1500).toISOString();
    const { status, stdout } = await cli.run(["logs", "-f", "--until", until, "ticking"]);
    assert.equal(status, 0);
    assert.match(stdout, /^(tick\n)+$/);
    await cli.ok("rm", "-f", "ticking");
  });
});

/** The last of the numbers 1, 2, 3 … a line each; the line that breaks the row fails. */
function countUp(text: string): number {
  const lines = text.trimEnd().split("\n");
  const wrong = lines.findIndex((line, i) => line !== String(i + 1));
  assert.equal(wrong, -1, `line ${wrong + 1} is ${JSON.stringify(lines[wrong])}`);
  return lines.length;
}

describe("plan", () => {
  it("takes every option that run takes", async () => {
    const optionsOf = async (name: string) =>
      [...(await cli.ok("help", name)).matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm)].map(
        ([, word]) => word,
      );
    const plan = await optionsOf("plan");
    const missing = (await optionsOf("run")).filter((option) => !plan.includes(option));
    assert.deepEqual(missing, []);
  });
});

describe("ps and cp", () => {
  it("ps --noheading leaves the headings out", async () => {
    await cli.ok("create", "--name", "one", "busybox", "true");
    const rows = await cli.ok("ps", "-a", "--noheading", "--filter", "name=one");
    assert.match(rows, /^[0-9a-f]{12} .* one$/m);
    assert.match(await cli.ok("image", "ls", "--noheading"), /^(localhost\/)?busybox +latest /);
    await cli.ok("rm", "one");
  });
});

describe("--cgroup-parent", () => {
  it("is where the container's cgroup is made", async () => {
    const parent = `tsrun-test-${process.pid}`;
    const run = ["run", "-d", "--name", "below", "--cgroup-parent", parent, "busybox"];
    await cli.ok(...run, "sleep", "1000");
    const { Pid } = JSON.parse(await cli.ok("inspect", "below"))[0].State;
    assert.ok(cgroupOf(Pid).startsWith(`${mountPoint}/${parent}/`), cgroupOf(Pid));
    await cli.ok("rm", "-f", "below");
    rmdirSync(`${mountPoint}/${parent}`); // others may be below it: it is left to who named it
  });
});
