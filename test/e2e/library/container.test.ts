import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { checkSystem } from "../../../src/engine/index.ts";
import { type Container, create, events, list, open, type TsrunError } from "../../../src/index.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

/** Says each tenth of a second that it is there; ends with 7 when it is asked to. */
const TICKER =
  "trap 'echo bye; exit 7' TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.05; done";

describe("a container", { skip: busyboxRootUnavailable() ?? false }, () => {
  let test: TestStore;
  before(async () => {
    test = await makeStore();
  });
  after(() => test.remove());

  const make = (script: string, options: object = {}): Promise<Container> =>
    create({ ...test.store, image: IMAGE, command: ["sh", "-c", script], ...options });
  const status = async (container: Container) => (await container.inspect()).status;
  /** Running, and far enough to have said something: its traps are set. */
  const startListening = async (container: Container) => {
    const since = new Date();
    await container.start();
    for await (const _line of container.logs({ follow: true, since })) break;
  };

  it("goes from created to running to exited and to running again", async () => {
    await using container = await make(TICKER);
    assert.equal(await status(container), "created");
    await startListening(container);
    assert.equal(await status(container), "running");
    await container.stop({ timeoutSeconds: 10 });
    assert.equal(await status(container), "exited");
    assert.equal((await container.wait()).status, 7);
    await container.start();
    assert.equal(await status(container), "running");
  });

  it("keeps what it wrote from run to run", async () => {
    await using container = await make("cat /kept 2>/dev/null; echo again >> /kept");
    for (let run = 0; run < 3; run++) {
      await container.start();
      await container.wait();
    }
    const lines: string[] = [];
    for await (const { text } of container.logs()) lines.push(text);
    assert.deepEqual(lines, ["again", "again", "again"]);
  });

  it("is gone at the end of its block, running or not", async () => {
    {
      await using container = await make(TICKER, { name: "block" });
      await container.start();
    }
    assert.throws(() => open("block", test.store), { code: "NOT_FOUND" });
  });

  it("is found by name, id and the beginning of its id", async () => {
    await using container = await make("true", { name: "found" });
    for (const ref of ["found", container.id, container.id.slice(0, 12)]) {
      assert.equal(open(ref, test.store).id, container.id);
    }
    assert.throws(() => open("foun", test.store), { code: "NOT_FOUND" });
  });

  it("has its name for itself", async () => {
    await using _first = await make("true", { name: "mine" });
    await assert.rejects(make("true", { name: "mine" }), { code: "NAME_IN_USE" });
  });

  it("can be renamed, and its old name be used again", async () => {
    await using container = await make("true", { name: "before" });
    await container.rename("after");
    assert.equal(open("after", test.store).id, container.id);
    assert.throws(() => open("before", test.store), { code: "NOT_FOUND" });
    await using other = await make("true", { name: "before" });
    await assert.rejects(other.rename("after"), { code: "NAME_IN_USE" });
    assert.equal((await other.inspect()).config.name, "before");
  });

  it("executes commands beside its first", async () => {
    await using container = await make(TICKER, { env: { A: "1" } });
    await container.start();
    const result = await container.exec(["sh", "-c", "echo $A $B; cat; echo err >&2; exit 5"], {
      env: { B: "2" },
      input: "typed\n",
    });
    assert.equal(result.status, 5);
    assert.equal(result.stdout, "1 2\ntyped\n");
    assert.equal(result.stderr, "err\n");
    assert.match((await container.exec(["ps"])).stdout, /^\s+1 root\s+sh -c/m);
    await assert.rejects(container.exec(["no-such-thing"]), { code: "COMMAND_NOT_FOUND" });
    assert.equal(await status(container), "running");
  });

  it("kills an executed command whose signal fires, and nothing else", async () => {
    await using container = await make(TICKER);
    await container.start();
    const abort = new AbortController();
    const running = container.exec(["sleep", "100"], { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await assert.rejects(running, { code: "ABORTED" });
    const { stdout } = await container.exec(["ps"]);
    assert.doesNotMatch(stdout, /sleep 100/);
    assert.equal(await status(container), "running");
  });

  it("does not wait for what an aborted command left behind with its outputs", async () => {
    await using container = await make(TICKER);
    await container.start();
    const abort = new AbortController();
    const running = container.exec(["sh", "-c", "sleep 1000 & echo begun; wait"], {
      stdout: new Writable({
        write(_chunk, _encoding, done) {
          abort.abort();
          done();
        },
      }),
      signal: abort.signal,
    });
    await assert.rejects(running, { code: "ABORTED" });
    assert.match((await container.exec(["ps"])).stdout, /sleep 1000/);
  });

  it("does not begin a command whose signal has fired", async () => {
    await using container = await make(TICKER);
    await container.start();
    const exec = container.exec(["touch", "/made"], { signal: AbortSignal.abort() });
    await assert.rejects(exec, { code: "ABORTED" });
    assert.equal((await container.exec(["ls", "/made"])).status, 1);
  });

  it("logs bytes that are no text as they are", async () => {
    await using container = await make("printf '\\377\\000\\001x\\n'");
    await container.start();
    await container.wait();
    const lines: Buffer[] = [];
    for await (const { bytes } of container.logs()) lines.push(bytes);
    assert.deepEqual(lines, [Buffer.from([0xff, 0, 1, 0x78])]);
  });

  it("executes as another user, in another directory", async () => {
    await using container = await make(TICKER);
    await container.start();
    const { stdout } = await container.exec(
      ["sh", "-c", "id -u; pwd; grep CapEff /proc/self/status"],
      {
        user: "99",
        workdir: "/tmp",
      },
    );
    assert.equal(stdout, "99\n/tmp\nCapEff:\t0000000000000000\n");
  });

  it("is started as the user whom its own files name, however it has changed them", async () => {
    const script =
      "[ -L /etc ] || { mkdir /new; echo new:x:42:43::/:/bin/sh > /new/passwd; rm -r /etc; ln -s new /etc; }; id -u";
    await using container = await make(script, { user: "root" });
    await container.start();
    await container.wait();
    await assert.rejects(container.start(), { code: "INVALID_ARGUMENT" }, "root is gone");
    const again = await container.inspect();
    assert.equal(again.status, "exited");
  });

  it("stands still while it is paused", async () => {
    await using container = await make(TICKER);
    await container.start();
    await container.pause();
    assert.equal(await status(container), "paused");
    await assert.rejects(container.exec(["true"]), { code: "WRONG_STATE" });
    const count = async () => {
      let lines = 0;
      for await (const _line of container.logs()) lines += 1;
      return lines;
    };
    await sleep(100); // what it had written before is logged
    const before = await count();
    await sleep(300);
    assert.equal(await count(), before);
    await container.resume();
    await sleep(300);
    assert.ok((await count()) > before);
  });

  it("can be stopped while it is paused", async () => {
    await using container = await make(TICKER);
    await startListening(container);
    await container.pause();
    await container.stop({ timeoutSeconds: 10 });
    assert.equal((await container.wait()).status, 7);
  });

  it("is killed after the timeout if it does not listen", async () => {
    await using container = await make("trap '' TERM; echo deaf; while :; do sleep 1; done");
    await startListening(container);
    const started = performance.now();
    await container.stop({ timeoutSeconds: 1 });
    assert.ok(performance.now() - started >= 1000);
    assert.equal((await container.wait()).status, 137);
  });

  it("passes a signal to its first process", async () => {
    await using container = await make(
      "trap 'exit 9' USR1; echo set; while :; do sleep 0.02; done",
    );
    await startListening(container);
    await container.kill("USR1");
    assert.equal((await container.wait()).status, 9);
  });

  it("is waited for by many, who all hear the same", async () => {
    await using container = await make("sleep 0.3; exit 6");
    await container.start();
    const ends = await Promise.all(Array.from({ length: 5 }, () => container.wait()));
    assert.deepEqual(
      ends.map(({ status: code }) => code),
      [6, 6, 6, 6, 6],
    );
  });

  it("can be waited for before it is started", async () => {
    await using container = await make("exit 8");
    const end = container.wait();
    await sleep(50);
    await container.start();
    assert.equal((await end).status, 8);
  });

  it("stops waiting when the signal fires", async () => {
    await using container = await make(TICKER);
    await container.start();
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    await assert.rejects(container.wait({ signal: abort.signal }), { code: "ABORTED" });
    assert.equal(await status(container), "running");
  });

  it("tells its log as it grows, and ends with the container", async () => {
    await using container = await make(
      "for i in 1 2 3; do echo line $i; sleep 0.1; done; echo oops >&2",
    );
    await container.start();
    const lines: string[] = [];
    for await (const { stream, text } of container.logs({ follow: true })) {
      lines.push(`${stream} ${text}`);
    }
    assert.deepEqual(lines, ["stdout line 1", "stdout line 2", "stdout line 3", "stderr oops"]);
  });

  it("is attached to from the first byte", async () => {
    await using container = await make("echo first; cat", { interactive: true });
    const attached = await container.startAttached();
    attached.stderr.resume();
    attached.stdin.end("typed\n");
    let output = "";
    for await (const chunk of attached.stdout) output += chunk;
    assert.equal(output, "first\ntyped\n");
    assert.deepEqual(await attached.exit, { kind: "exited", code: 0 });
  });

  it("is measured, and its processes are listed with the pids of both sides", async () => {
    await using container = await make("while :; do :; done");
    await container.start();
    await sleep(300);
    const stats = await container.stats();
    assert.ok((stats.cpu?.usageMicros ?? 0) > 10_000, `${stats.cpu?.usageMicros} µs`);
    const [first] = await container.top();
    assert.equal(first?.pid, 1);
    assert.ok((first?.hostPid ?? 0) > 1);
    assert.equal(first?.user, "root");
    assert.match(first?.command ?? "", /^sh -c while/);
    await container.kill();
  });

  it("tells what happened to it, in order", async () => {
    const since = new Date();
    await using container = await make(TICKER, { name: "told" });
    await startListening(container);
    await container.pause();
    await container.resume();
    await container.stop({ timeoutSeconds: 10 });
    await container.remove();
    const told: string[] = [];
    for await (const { status: what } of events({
      ...test.store,
      since,
      filters: { container: ["told"] },
    })) {
      told.push(what);
    }
    assert.deepEqual(told, ["create", "start", "pause", "unpause", "stop", "died", "remove"]);
  });

  it("refuses what its status does not allow", async () => {
    await using container = await make(TICKER);
    for (const refused of [
      () => container.exec(["true"]),
      () => container.kill(),
      () => container.pause(),
      () => container.stats(),
      () => container.top(),
      () => container.attach(),
    ]) {
      await assert.rejects(refused(), { code: "WRONG_STATE" });
    }
    await container.stop(); // nothing to do
    await container.start();
    await assert.rejects(container.start(), { code: "WRONG_STATE" });
    await assert.rejects(container.remove(), { code: "WRONG_STATE" });
    await container.remove({ force: true });
    await assert.rejects(container.inspect(), { code: "NOT_FOUND" });
  });

  it("shares namespaces with another container", async () => {
    await using first = await make(TICKER, { hostname: "shared" });
    await first.start();
    const share = { kind: "container", container: first.id } as const;
    await using second = await make("hostname; ls /proc | grep -c '^1$'; sleep 100", {
      namespaces: { uts: share, pid: share, ipc: share, network: share },
    });
    await second.start();
    const [other] = (await first.top()).filter(({ command }) => command.includes("hostname"));
    assert.equal(other, undefined, "it is in a cgroup of its own");
    let line = "";
    for await (const { text } of second.logs({ follow: true })) {
      line = text;
      break;
    }
    assert.equal(line, "shared");
  });

  it("runs after restarts that came at once", async () => {
    await using container = await make(TICKER);
    await startListening(container);
    await Promise.all(Array.from({ length: 4 }, () => container.restart({ timeoutSeconds: 1 })));
    assert.equal(await status(container), "running");
    assert.equal((await container.exec(["echo", "here"])).stdout, "here\n");
    await sleep(300); // an end that had been overlooked would be found now
    assert.equal(await status(container), "running");
  });

  it("can be started as soon as it has been stopped, killed or waited for", async () => {
    await using container = await make(TICKER);
    for (const end of [() => container.stop({ timeoutSeconds: 0 }), () => container.kill()]) {
      await container.start();
      await end();
      await container.wait();
      await container.start();
      assert.equal(await status(container), "running");
      await container.stop({ timeoutSeconds: 0 });
    }
  });

  for (const [what, user] of [
    ["", {}],
    [", also in user namespaces", { user: { kind: "auto" } }],
  ] as const) {
    it(`shares /dev/shm with the container whose IPC namespace it joins${what}`, async () => {
      const script = "echo from-first > /dev/shm/first; umask 0; echo up; sleep 1000";
      await using first = await make(script, { shmSizeBytes: 1 << 20, namespaces: user });
      await startListening(first);
      const ipc = { kind: "container", container: first.id } as const;
      await using second = await make(
        "cat /dev/shm/first; touch /dev/shm/second && grep /dev/shm /proc/self/mounts; ls /host",
        {
          namespaces: { ipc, ...user },
          // After the peer's namespace, the host's paths are the host's again.
          mounts: [{ type: "bind", source: test.directory, target: "/host", options: ["ro"] }],
        },
      );
      await second.start();
      await second.wait();
      const lines: string[] = [];
      for await (const { text } of second.logs()) lines.push(text);
      assert.equal(lines[0], "from-first");
      if (!("user" in user)) {
        assert.match(lines[1] ?? "", /^\S+ \/dev\/shm tmpfs rw,nosuid,nodev,noexec\S*size=1024k/);
        assert.equal((await first.exec(["ls", "/dev/shm"])).stdout, "first\nsecond\n");
        assert.deepEqual(lines.slice(2).sort(), readdirSync(test.directory).sort());
      }
    });
  }

  it("says so if the container whose IPC namespace it joins has hidden its /dev/shm", async () => {
    const options = { capAdd: ["SYS_ADMIN"] };
    await using first = await make(
      "umount /dev/shm && rmdir /dev/shm && ln -s / /dev/shm; echo up; sleep 1000",
      options,
    );
    await startListening(first);
    await using second = await make("true", {
      namespaces: { ipc: { kind: "container", container: first.id } },
    });
    await assert.rejects(second.start(), (error: TsrunError) => {
      assert.equal(error.code, "LAUNCH_FAILED");
      assert.match(error.hint ?? "", /has no \/dev\/shm/);
      return true;
    });
    assert.equal(await status(second), "created");
    assert.deepEqual(await checkSystem(test.engine), [], "nothing of the launch is left");
  });

  it("orders commands on itself, however many come at once", async () => {
    await using container = await make(TICKER);
    const starts = await Promise.allSettled(Array.from({ length: 8 }, () => container.start()));
    assert.equal(starts.filter(({ status: how }) => how === "fulfilled").length, 1);
    await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        i % 2 ? container.stop({ timeoutSeconds: 1 }) : container.restart({ timeoutSeconds: 1 }),
      ),
    );
    assert.match(await status(container), /^(running|exited)$/);
    assert.equal((await list({ ...test.store, all: true })).length >= 1, true);
  });
});
