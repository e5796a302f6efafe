import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { containerHostname, resolveProcess } from "../../../../src/engine/bundle/process.ts";
import type { ContainerId } from "../../../../src/engine/records.ts";

const facts = { hostname: "box" };
const image = {
  Entrypoint: ["/entry"],
  Cmd: ["serve", "--now"],
  Env: ["PATH=/image/bin", "A=1", "B=", "broken"],
  WorkingDir: "/srv",
  User: "www",
  StopSignal: "SIGQUIT",
};

describe("the command of a container", () => {
  const args = (request: object, of: object = image) =>
    resolveProcess({ image: "x", ...request }, of, facts).args;

  it("is the image's entrypoint and command", () => {
    assert.deepEqual(args({}), ["/entry", "serve", "--now"]);
  });
  it("takes its arguments in place of the image's command", () => {
    assert.deepEqual(args({ command: ["ls"] }), ["/entry", "ls"]);
  });
  it("drops the image's command with the image's entrypoint", () => {
    assert.deepEqual(args({ entrypoint: ["sh"] }), ["sh"]);
    assert.deepEqual(args({ entrypoint: ["sh"], command: ["-c", "ls"] }), ["sh", "-c", "ls"]);
  });
  it("is the arguments alone where the entrypoint is cleared", () => {
    assert.deepEqual(args({ entrypoint: [], command: ["ls"] }), ["ls"]);
  });
  it("must be something", () => {
    assert.throws(() => args({}, {}), { code: "INVALID_ARGUMENT" });
    assert.throws(() => args({ entrypoint: [] }), { code: "INVALID_ARGUMENT" });
    assert.throws(() => args({ command: [""] }, {}), { code: "INVALID_ARGUMENT" });
  });
});

describe("the environment of a container", () => {
  const env = (request: object, of: object = image) =>
    resolveProcess({ image: "x", command: ["a"], ...request }, of, facts).env;

  it("has tsrun's defaults, then the image's, then the request's; the last one wins", () => {
    assert.deepEqual(env({ env: { A: "2", C: "x=y" } }), [
      "PATH=/image/bin",
      "HOSTNAME=box",
      "container=tsrun",
      "A=2",
      "B=",
      "C=x=y",
    ]);
  });
  it("has a PATH where the image has none", () => {
    assert.deepEqual(env({}, {}), [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOSTNAME=box",
      "container=tsrun",
    ]);
  });
  it("has TERM only for a terminal", () => {
    assert.ok(env({ tty: true }).includes("TERM=xterm"));
    assert.ok(!env({}).some((entry) => entry.startsWith("TERM=")));
  });
  it("takes no name with an equals sign and no value with a NUL", () => {
    for (const wrong of [{ "a=b": "1" }, { "": "1" }, { a: "1\0" }]) {
      assert.throws(() => env({ env: wrong }), { code: "INVALID_ARGUMENT" });
    }
  });
});

describe("the rest of a container's process", () => {
  it("is the image's unless the request says otherwise", () => {
    const { cwd, user, stopSignal, stopTimeoutSeconds } = resolveProcess(
      { image: "x" },
      image,
      facts,
    );
    assert.deepEqual(
      { cwd, user, stopSignal, stopTimeoutSeconds },
      { cwd: "/srv", user: "www", stopSignal: "SIGQUIT", stopTimeoutSeconds: 10 },
    );
    const own = resolveProcess(
      { image: "x", workdir: "/", user: "0:5", stopSignal: "rtmin+3", stopTimeoutSeconds: 0 },
      image,
      facts,
    );
    assert.equal(own.cwd, "/");
    assert.equal(own.user, "0:5");
    assert.equal(own.stopSignal, "SIGRTMIN+3");
    assert.equal(own.stopTimeoutSeconds, 0);
  });
  it("has an absolute working directory and a real stop signal", () => {
    for (const wrong of [{ workdir: "srv" }, { stopSignal: "SIGNOPE" }]) {
      assert.throws(() => resolveProcess({ image: "x", ...wrong }, image, facts), {
        code: "INVALID_ARGUMENT",
      });
    }
  });
});

describe("the host name of a container", () => {
  const id = "0123456789abcdef".repeat(4) as ContainerId;
  it("is what was asked for, else the short id", () => {
    assert.equal(containerHostname({ hostname: "web" }, id, "host"), "web");
    assert.equal(containerHostname({}, id, "host"), "0123456789ab");
  });
  it("is the host's where the UTS namespace is the host's", () => {
    const namespaces = { uts: { kind: "host" } } as const;
    assert.equal(containerHostname({ namespaces }, id, "host"), "host");
  });
});
