/** A seccomp agent gets the listener and the container's state, and answers for the calls of its filter. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { planListener } from "../../../src/runtime/plan-listener.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { Bundle } from "./bundle.ts";

const unavailable =
  process.getuid?.() === 0
    ? (busyboxRootUnavailable() ??
      (spawnSync("python3", ["--version"]).status === 0 ? undefined : "needs python3"))
    : "needs root";

/** Prints what it was sent, then answers every notification with EBUSY. struct seccomp_notif, seccomp(2). */
const AGENT = `
import fcntl, os, socket, struct, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
connection, _ = listening.accept()
state, fds, _, _ = socket.recv_fds(connection, 65536, 8)
while True:
    more = connection.recv(65536)
    if not more: break
    state += more
print(len(fds))
print(state.decode())
sys.stdout.flush()
while True:
    notification = bytearray(80)
    try:
        fcntl.ioctl(fds[0], 0xc0502100, notification)
    except OSError:
        break
    id, = struct.unpack_from("Q", notification)
    try:
        fcntl.ioctl(fds[0], 0xc0182101, bytearray(struct.pack("QqiI", id, 0, -16, 0)))
    except OSError:
        break
`;

interface Agent {
  readonly path: string;
  readonly process: ChildProcess;
  readonly output: Promise<string>;
}

let count = 0;

async function startAgent(directory: string): Promise<Agent> {
  const path = join(directory, `agent-${count++}.sock`);
  const agent = spawn("python3", ["-c", AGENT, path], { stdio: ["ignore", "pipe", "inherit"] });
  const output = text(agent.stdout);
  while (!existsSync(path)) await sleep(5);
  return { path, process: agent, output };
}

function profile(listenerPath: string) {
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    flags: ["SECCOMP_FILTER_FLAG_TSYNC"],
    listenerPath,
    listenerMetadata: 'opaque "data"',
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" }],
  };
}

describe("a seccomp agent", unavailable === undefined ? {} : { skip: unavailable }, () => {
  let bundle: Bundle;
  before(async () => {
    bundle = await Bundle.create();
  });
  after(() => bundle[Symbol.dispose]());

  for (const noNewPrivileges of [false, true]) {
    it(`answers for the container, no_new_privs ${noNewPrivileges}`, async () => {
      const agent = await startAgent(bundle.directory);
      const { stderr, code } = await bundle.run({
        script: "mkdir /made",
        process: { noNewPrivileges },
        linux: { seccomp: profile(agent.path) },
        top: { annotations: { key: "value" } },
      });
      assert.match(stderr, /Device or resource busy|Resource busy/);
      assert.equal(code, 1);
      agent.process.kill();
      const [fds, json = ""] = (await agent.output).split("\n");
      assert.equal(fds, "1");
      const state = JSON.parse(json) as { pid: number; state: { id: string; pid: number } };
      assert.ok(state.pid > 1);
      assert.deepEqual(state, {
        ociVersion: "1.3.0",
        fds: ["seccompFd"],
        pid: state.pid,
        metadata: 'opaque "data"',
        state: {
          ociVersion: "1.3.0",
          id: state.state.id,
          status: "creating",
          bundle: bundle.directory,
          annotations: { key: "value" },
          pid: state.pid,
        },
      });
    });
  }

  it("answers for a further process, and is told the container's pid beside its own", async () => {
    const running = await bundle.start({ script: "exec sleep 100" });
    try {
      const agent = await startAgent(bundle.directory);
      const seccomp = profile(agent.path);
      const listener = planListener(seccomp, {
        ...{ ociVersion: "1.3.0", id: "box", status: "running", bundle: "/b" },
        pid: running.pid,
      });
      assert.ok(listener);
      const { stderr } = await bundle.exec(
        running.pid,
        { args: ["mkdir", "/made"] },
        { seccomp: bundle.seccomp(seccomp), listener },
      );
      assert.match(stderr, /busy/);
      agent.process.kill();
      const state = JSON.parse((await agent.output).split("\n")[1] ?? "") as {
        pid: number;
        state: { pid: number; status: string };
      };
      assert.deepEqual([state.state.pid, state.state.status], [running.pid, "running"]);
      assert.notEqual(state.pid, running.pid);
    } finally {
      process.kill(running.pid, "SIGKILL");
      await running.end();
    }
  });

  it("that is not there is an error with the field's name, and nothing runs", () =>
    assert.rejects(
      bundle.run({
        script: "echo ran >/ran",
        linux: { seccomp: profile(join(bundle.directory, "nobody.sock")) },
      }),
      { origin: "linux.seccomp.listenerPath", errno: "ENOENT" },
    ));
});
