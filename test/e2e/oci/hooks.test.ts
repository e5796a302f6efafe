import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Config, OciBundle } from "../../support/oci.ts";

const NAMES = [
  ...["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
];

/** Writes its name, its mount namespace, its environment and the state that it gets. */
function script(name: string, log: string): string {
  return `read -r state; echo "${name} $(readlink /proc/self/ns/mnt) $A $state" >> ${log}`;
}

function logging(config: Config, log: string): void {
  const env = ["A=1", "PATH=/bin:/usr/bin"];
  config.hooks = Object.fromEntries(
    NAMES.map((name) => [name, [{ path: "/bin/sh", args: ["sh", "-c", script(name, log)], env }]]),
  );
}

describe("tsrun-oci's hooks", () => {
  it("run in their order, in their namespaces, with the state of their moment", async () => {
    await using bundle = await OciBundle.create();
    const log = join(bundle.base, "log");
    const config = JSON.parse(readFileSync(join(bundle.base, "config.json"), "utf8"));
    logging(config, log);
    // This one sees the container's root alone.
    config.hooks.startContainer[0].args[2] = script("startContainer", "/dev/x/log");
    config.mounts.push({ destination: "/dev/x", type: "tmpfs", source: "tmpfs" });
    bundle.write(config);
    assert.deepEqual(await bundle.call(["create", "c1"]), { status: 0, stdout: "", stderr: "" });
    const { pid } = await bundle.state("c1");
    const container = readlinkSync(`/proc/${pid}/ns/mnt`);
    const own = readlinkSync("/proc/self/ns/mnt");
    assert.deepEqual(await bundle.call(["start", "c1"]), { status: 0, stdout: "", stderr: "" });
    const inside = await bundle.call(["exec", "c1", "cat", "/dev/x/log"]);
    assert.equal((await bundle.call(["delete", "--force", "c1"])).status, 0);
    const lines = `${readFileSync(log, "utf8")}${inside.stdout}`.trim().split("\n").map(parse);
    assert.deepEqual(
      lines.map(({ name }) => name),
      ["prestart", "createRuntime", "createContainer", "poststart", "poststop", "startContainer"],
    );
    for (const { name, namespace, state, variable } of lines) {
      const inContainer = name === "createContainer" || name === "startContainer";
      assert.equal(namespace, inContainer ? container : own, name);
      assert.equal(variable, "1");
      assert.equal(state.id, "c1");
      assert.equal(state.bundle, bundle.base);
      const seen = inContainer ? 1 : pid;
      assert.equal(state.pid, name === "poststop" ? 0 : seen, name);
      assert.equal(state.status, STATUS.get(name), name);
    }
  });

  for (const name of ["prestart", "createRuntime", "createContainer"]) {
    it(`undo the creation where a ${name} hook fails, and say what it said`, async () => {
      await using bundle = await OciBundle.create((config) => {
        const args = ["sh", "-c", "echo out; echo oops >&2; exit 3"];
        config.hooks = { [name]: [{ path: "/bin/sh", args }] };
      });
      const { status, stderr } = await bundle.call(["create", "c1"]);
      assert.equal(status, 1);
      assert.match(
        stderr,
        new RegExp(`error running ${name} hook #0: exit status 3, stdout: out\\\\n, stderr: oops`),
      );
      assert.equal(existsSync(join(bundle.root, "c1")), false);
      assert.equal(existsSync(bundle.cgroup()), false);
    });
  }

  it("stop the container where a startContainer hook fails", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.hooks = { startContainer: [{ path: "/bin/false" }] };
    });
    assert.equal((await bundle.call(["create", "c1"])).status, 0);
    const { status, stderr } = await bundle.call(["start", "c1"]);
    assert.equal(status, 1);
    assert.match(stderr, /error running startContainer hook #0: exit status 1/);
    while ((await bundle.state("c1")).status !== "stopped");
  });

  it("are only told of, where poststart and poststop fail", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.hooks = { poststart: [{ path: "/bin/false" }], poststop: [{ path: "/nope" }] };
    });
    const log = join(bundle.base, "log");
    assert.equal((await bundle.call(["create", "c1"])).status, 0);
    assert.equal((await bundle.call(["--log", log, "start", "c1"])).status, 0);
    assert.equal((await bundle.state("c1")).status, "running");
    assert.equal((await bundle.call(["--log", log, "delete", "-f", "c1"])).status, 0);
    const text = readFileSync(log, "utf8");
    assert.match(text, /level=warning msg="error running poststart hook #0: exit status 1/);
    assert.match(text, /level=warning msg="error running poststop hook #0: .*\/nope/);
  });

  it("are killed at their timeout, which is a failure", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.hooks = {
        createRuntime: [{ path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1 }],
      };
    });
    const { status, stderr } = await bundle.call(["create", "c1"]);
    assert.equal(status, 1);
    assert.match(stderr, /createRuntime hook #0: hook ran past its timeout/);
  });
});

const STATUS = new Map([
  ["prestart", "creating"],
  ["createRuntime", "creating"],
  ["createContainer", "creating"],
  ["startContainer", "created"],
  ["poststart", "running"],
  ["poststop", "stopped"],
]);

function parse(line: string) {
  const [, name = "", namespace, variable, state = "{}"] =
    /^(\w+) (\S+) (\S*) (.*)$/.exec(line) ?? [];
  return { name, namespace, variable, state: JSON.parse(state) };
}
