/** Docker 20.10 with tsrun-oci as an added runtime and as the default one. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Pty } from "../support/pty.ts";
import { dockerUnavailable, startDocker } from "./docker-daemon.ts";
import { importableImage } from "./image.ts";
import { type Client, PrivateHost, until } from "./private-host.ts";

const IMAGE = "busybox:test";
const skip = dockerUnavailable();

describe("docker", { skip: skip ?? false }, () => {
  let host: PrivateHost;
  let docker: Client;

  before(async () => {
    host = await PrivateHost.open();
    docker = await startDocker(host);
    await docker.ok("load", "--input", await importableImage(host, IMAGE));
  });
  after(() => host[Symbol.asyncDispose]());

  it("tsrun-oci is an added runtime and the default one", async () => {
    assert.equal(await docker.ok("info", "--format", "{{.DefaultRuntime}}"), "tsrun");
    assert.equal(await docker.ok("run", "--rm", IMAGE, "echo", "by default"), "by default");
    assert.equal(
      await docker.ok("run", "--rm", "--runtime=tsrun", IMAGE, "echo", "added"),
      "added",
    );
  });

  it("run: status, a program that is not there, one that may not be run", async () => {
    assert.equal((await docker.run("run", "--rm", IMAGE, "sh", "-c", "exit 9")).status, 9);
    assert.equal((await docker.run("run", "--rm", IMAGE, "nothing-such")).status, 127);
    assert.equal((await docker.run("run", "--rm", IMAGE, "/etc/passwd")).status, 126);
  });

  it("run -d, logs, exec, pause, unpause, stop, start, kill, rm", async () => {
    const script = "echo out; trap 'exit 5' TERM; while :; do sleep 0.1; done";
    await docker.ok("run", "-d", "--name=dd", "--hostname=inside", IMAGE, "sh", "-c", script);
    await until("it logs", async () => (await docker.ok("logs", "dd")) === "out");
    assert.equal(await docker.ok("exec", "dd", "hostname"), "inside");
    assert.equal((await docker.run("exec", "dd", "sh", "-c", "exit 7")).status, 7);
    // Not 127: so 20.10 does with any runtime.
    assert.equal((await docker.run("exec", "dd", "nothing-such")).status, 126);
    const state = () =>
      docker.ok("inspect", "dd", "--format", "{{.State.Status}} {{.State.ExitCode}}");
    await docker.ok("pause", "dd");
    assert.equal(await state(), "paused 0");
    await docker.ok("unpause", "dd");
    await docker.ok("stop", "--time=20", "dd");
    assert.equal(await state(), "exited 5");
    await docker.ok("start", "dd");
    await docker.ok("kill", "dd");
    await until("it is killed", async () => (await state()) === "exited 137");
    await docker.ok("start", "dd");
    await docker.ok("rm", "--force", "dd");
    assert.equal(await docker.ok("ps", "--all", "--quiet"), "");
  });

  it("run -it in a terminal", async () => {
    const [command, ...args] = docker.argv("run", "-it", "--rm", IMAGE, "sh");
    await using pty = new Pty(command, args, { rows: 33, cols: 99 });
    await pty.waitFor(/# /);
    pty.type("tty; stty size\n");
    await pty.waitFor(/\/dev\/pts\/0\r+\n33 99/);
    pty.type("exit 3\n");
    assert.deepEqual(await pty.waitForExit(), { code: 3, signal: null });
  });

  it("networks: two containers find and reach each other", async () => {
    await docker.ok("network", "create", "net");
    const serve = "echo served > /index.html; exec httpd -f -p 80 -h /";
    await docker.ok("run", "-d", "--name=web", "--network=net", IMAGE, "sh", "-c", serve);
    const fetch = ["run", "--rm", "--network=net", IMAGE, "wget", "-q", "-O", "-", "http://web/"];
    await until("it serves", async () => (await docker.run(...fetch)).stdout === "served\n");
    await docker.ok("rm", "--force", "web");
    await docker.ok("network", "rm", "net");
  });

  it("a restart policy starts it again", async () => {
    await docker.ok(
      "run",
      "-d",
      "--name=rr",
      "--restart=on-failure:2",
      IMAGE,
      "sh",
      "-c",
      "exit 4",
    );
    const seen = () =>
      docker.ok(
        "inspect",
        "rr",
        "--format",
        "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}",
      );
    await until("it gave up after two", async () => (await seen()) === "2 exited 4");
    await docker.ok("rm", "rr");
  });

  it("build, by the classic builder", async () => {
    const context = host.file("context");
    mkdirSync(context);
    writeFileSync(
      `${context}/Dockerfile`,
      `FROM ${IMAGE}\nENV WHO=built\nRUN echo $WHO > /made\nCMD ["cat", "/made"]\n`,
    );
    await docker.ok("build", "--tag=one", context);
    assert.equal(await docker.ok("run", "--rm", "one"), "built");
  });
});
