import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { reapChild, setChildSubreaper } from "../../../src/ffi/index.ts";
import { type CallResult, type Config, OciBundle } from "../../support/oci.ts";

const sh = (script: string) => (config: Config) => {
  config.process.args = ["sh", "-c", script];
};

function succeeded(result: CallResult): void {
  assert.deepEqual(result, { ...result, status: 0, stderr: "" });
}

/** What runc says: clients look for it. */
async function refused(bundle: OciBundle, args: readonly string[], message: string, status = 1) {
  const result = await bundle.call(args);
  assert.equal(result.status, status, result.stderr);
  assert.ok(result.stderr.includes(message), `${result.stderr} has not: ${message}`);
}

async function stopped(bundle: OciBundle, id: string): Promise<void> {
  while ((await bundle.state(id)).status !== "stopped");
}

describe("tsrun-oci, a container's life", () => {
  it("creates, starts, shows, kills and deletes it, and leaves nothing", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.annotations = { "org.example.x": "y" };
    });
    const pidFile = join(bundle.base, "pid");
    succeeded(await bundle.call(["create", "--pid-file", pidFile, "c1"]));
    const created = await bundle.state("c1");
    assert.equal(created.status, "created");
    assert.equal(created.pid, Number(readFileSync(pidFile, "utf8")));
    assert.equal(created.id, "c1");
    assert.equal(created.bundle, bundle.base);
    assert.deepEqual(created.annotations, { "org.example.x": "y" });
    succeeded(await bundle.call(["start", "c1"]));
    assert.deepEqual(await bundle.state("c1"), { ...created, status: "running" });
    assert.match(readFileSync(`/proc/${created.pid}/cmdline`, "utf8"), /^sleep\0/);
    succeeded(await bundle.call(["pause", "c1"]));
    assert.equal((await bundle.state("c1")).status, "paused");
    succeeded(await bundle.call(["resume", "c1"]));
    succeeded(await bundle.call(["kill", "c1", "KILL"]));
    await stopped(bundle, "c1");
    assert.deepEqual(await bundle.state("c1"), { ...created, status: "stopped", pid: 0 });
    succeeded(await bundle.call(["delete", "c1"]));
    assert.equal(existsSync(join(bundle.root, "c1")), false);
    assert.equal(existsSync(bundle.cgroup()), false);
  });

  it("leaves the container to the caller's subreaper, which learns how it ended", async () => {
    await using bundle = await OciBundle.create(sh("exit 42"));
    setChildSubreaper(true);
    succeeded(await bundle.call(["create", "c1"]));
    const { pid } = await bundle.state("c1");
    assert.match(
      readFileSync(`/proc/${pid}/status`, "utf8"),
      new RegExp(`^PPid:\\t${process.pid}$`, "m"),
    );
    succeeded(await bundle.call(["start", "c1"]));
    await stopped(bundle, "c1");
    assert.deepEqual(reapChild({ pid }), { kind: "exited", code: 42 });
  });

  it("says in runc's words what a container's status forbids", async () => {
    await using bundle = await OciBundle.create();
    for (const command of ["state", "start", "kill", "delete", "pause", "resume", "ps"]) {
      await refused(bundle, [command, "c1"], 'msg="container does not exist"');
    }
    await refused(bundle, ["exec", "c1", "true"], "exec failed: container does not exist", 255);
    succeeded(await bundle.call(["delete", "--force", "c1"]));
    succeeded(await bundle.call(["create", "c1"]));
    await refused(bundle, ["create", "c1"], "container with given ID already exists");
    await refused(bundle, ["resume", "c1"], "container not paused");
    succeeded(await bundle.call(["start", "c1"]));
    await refused(bundle, ["start", "c1"], "cannot start an already running container");
    await refused(
      bundle,
      ["delete", "c1"],
      "cannot delete container c1 that is not stopped: running",
    );
    succeeded(await bundle.call(["pause", "c1"]));
    await refused(bundle, ["exec", "c1", "true"], "cannot exec in a paused container", 255);
    await refused(bundle, ["delete", "c1"], "that is not stopped: paused");
    succeeded(await bundle.call(["kill", "c1", "9"]));
    await stopped(bundle, "c1");
    await refused(bundle, ["kill", "c1"], 'msg="container not running"');
    succeeded(await bundle.call(["kill", "--all", "c1", "9"]));
    await refused(bundle, ["start", "c1"], "cannot start a container that has stopped");
    await refused(bundle, ["exec", "c1", "true"], "cannot exec in a stopped container", 255);
    succeeded(await bundle.call(["delete", "c1"]));
  });

  it("kills one that waits for its start by a signal that would end any process", async () => {
    await using bundle = await OciBundle.create();
    succeeded(await bundle.call(["create", "c1"]));
    succeeded(await bundle.call(["kill", "c1"]));
    await stopped(bundle, "c1");
    await refused(bundle, ["start", "c1"], "cannot start a container that has stopped");
  });

  it("deletes a running one by force, with everything that it started", async () => {
    await using bundle = await OciBundle.create(sh("sleep 50 & sleep 50 & wait"));
    succeeded(await bundle.call(["run", "--detach", "c1"]));
    const pids: number[] = JSON.parse((await bundle.call(["ps", "--format", "json", "c1"])).stdout);
    assert.ok(pids.length >= 1);
    succeeded(await bundle.call(["delete", "--force", "c1"]));
    for (const pid of pids) assert.equal(existsSync(`/proc/${pid}/root/bin`), false);
    assert.equal(existsSync(bundle.cgroup()), false);
  });

  for (const [program, phrase] of [
    ["/nope", 'exec: \\"/nope\\": stat /nope: no such file or directory'],
    ["nope", 'exec: \\"nope\\": executable file not found in $PATH'],
    ["/etc", 'exec: \\"/etc\\": permission denied'],
  ] as const) {
    it(`refuses to create a container of "${program}" in the words that engines look for`, async () => {
      await using bundle = await OciBundle.create((config) => {
        config.process.args = [program];
      });
      const words = `tsrun-oci create failed: unable to start container process: ${phrase}`;
      await refused(bundle, ["create", "c1"], words);
      assert.equal(existsSync(join(bundle.root, "c1")), false);
      assert.equal(existsSync(bundle.cgroup()), false);
    });
  }

  it("tells at the start that a file is no program", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.process.args = ["/proc/self/environ"];
    });
    await refused(bundle, ["create", "c1"], "permission denied");
  });

  it("runs in the foreground and ends as the program did, with nothing left", async () => {
    await using bundle = await OciBundle.create(sh("echo out; echo err >&2; exit 7"));
    const result = await bundle.call(["run", "c1"]);
    assert.deepEqual(result, { status: 7, stdout: "out\n", stderr: "err\n" });
    assert.equal(existsSync(join(bundle.root, "c1")), false);
  });

  it("writes errors as JSON for a shim, and as text on stderr", async () => {
    await using bundle = await OciBundle.create();
    const log = join(bundle.base, "log.json");
    const result = await bundle.call(["--log", log, "--log-format=json", "state", "c1"]);
    assert.deepEqual(result, { status: 1, stdout: "", stderr: "container does not exist\n" });
    const line = JSON.parse(readFileSync(log, "utf8"));
    assert.equal(line.level, "error");
    assert.equal(line.msg, "container does not exist");
    assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  it("can be removed when its creation was killed at any time", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.hooks = {
        createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", "echo x > ready; sleep 50"] }],
      };
    });
    const { child, ended } = bundle.start(["create", "c1"]);
    while (!existsSync(join(bundle.base, "ready")));
    assert.equal((await bundle.state("c1")).status, "creating");
    child.kill("SIGKILL");
    await ended;
    await stopped(bundle, "c1");
    succeeded(await bundle.call(["delete", "--force", "c1"]));
    assert.equal(existsSync(bundle.cgroup()), false);
  });
});
