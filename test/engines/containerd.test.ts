/** containerd 1.6 and its runc v2 shim with BinaryName=tsrun-oci, driven by ctr. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Pty } from "../support/pty.ts";
import { startContainerd } from "./containerd-daemon.ts";
import { type Client, PrivateHost, RUNTIME, unavailable, until } from "./private-host.ts";

const IMAGE = "docker.io/library/busybox:test";
const skip = unavailable("/usr/bin/containerd", "/usr/bin/ctr", "/usr/bin/containerd-shim-runc-v2");

describe("containerd", { skip: skip ?? false }, () => {
  let host: PrivateHost;
  let ctr: Client;
  const RUN = ["run", `--runc-binary=${RUNTIME}`, "--snapshotter=native"];

  before(async () => {
    host = await PrivateHost.open();
    ctr = await startContainerd(host, IMAGE);
  });
  after(() => host[Symbol.asyncDispose]());

  /** ctr cancels its end of the streams when the process ends, opened or not: it is given the time. */
  const saying = (word: string) => ["sh", "-c", `echo ${word}; sleep 1`];

  it("run: output and status", async () => {
    assert.equal(await ctr.ok(...RUN, "--rm", IMAGE, "one", ...saying("hello")), "hello");
    assert.equal((await ctr.run(...RUN, "--rm", IMAGE, "two", "sh", "-c", "exit 9")).status, 9);
    const { status, stderr } = await ctr.run(...RUN, "--rm", IMAGE, "three", "nothing-such");
    assert.notEqual(status, 0);
    assert.match(stderr, /executable file not found/);
    assert.equal(await ctr.ok("task", "ls", "-q"), "");
  });

  it("run -d, exec, ps, metrics, pause, resume, kill, delete", async () => {
    /** ctr warns of the task's status, and its own is 0. */
    const deleted = async (name: string) => {
      const { stdout, stderr } = await ctr.run("task", "delete", name);
      return stdout + stderr;
    };
    await ctr.ok(
      ...RUN,
      "-d",
      IMAGE,
      "d",
      "sh",
      "-c",
      "trap 'exit 5' TERM; while :; do sleep 0.1; done",
    );
    const status = async () => /\b(RUNNING|PAUSED|STOPPED)\b/.exec(await ctr.ok("task", "ls"))?.[1];
    assert.equal(await status(), "RUNNING");
    assert.equal(await ctr.ok("task", "exec", "--exec-id=e", "d", ...saying("inside")), "inside");
    assert.equal(
      (await ctr.run("task", "exec", "--exec-id=f", "d", "sh", "-c", "exit 7")).status,
      7,
    );
    assert.match(await ctr.ok("task", "ps", "d"), /^PID/);
    assert.match(await ctr.ok("task", "metrics", "d"), /cpu/);
    await ctr.ok("task", "pause", "d");
    assert.equal(await status(), "PAUSED");
    await ctr.ok("task", "resume", "d");
    assert.equal(await status(), "RUNNING");
    await ctr.ok("task", "kill", "--signal=SIGTERM", "d");
    await until("it stops", async () => (await status()) === "STOPPED");
    assert.match(await deleted("d"), /\b5\b/);
    await ctr.ok("container", "delete", "d");
    await ctr.ok(...RUN, "-d", IMAGE, "k", "sleep", "1000");
    await ctr.ok("task", "kill", "--all", "--signal=SIGKILL", "k");
    await until("it stops", async () => (await status()) === "STOPPED");
    assert.match(await deleted("k"), /\b137\b/);
    await ctr.ok("container", "delete", "k");
  });

  it("run -t: a terminal and its window's size", async () => {
    const [command, ...args] = ctr.argv(...RUN, "--rm", "-t", IMAGE, "t", "sh");
    await using pty = new Pty(command, args, { rows: 33, cols: 99 });
    await pty.waitFor(/# /);
    pty.type("tty; stty size\n");
    await pty.waitFor(/\/dev\/pts\/0\r+\n33 99/);
    pty.type("exit 3\n");
    assert.deepEqual(await pty.waitForExit(), { code: 3, signal: null });
  });
});
