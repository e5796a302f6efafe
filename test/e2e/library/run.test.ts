import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { list, run, TsrunError } from "../../../src/index.ts";
import { busyboxRootUnavailable } from "../../support/roots.ts";
import { IMAGE, makeStore, type TestStore } from "../../support/store.ts";

describe("run()", { skip: busyboxRootUnavailable() ?? false }, () => {
  let test: TestStore;
  before(async () => {
    test = await makeStore();
  });
  after(() => test.remove());

  const sh = (script: string, options: object = {}) =>
    run({ ...test.store, image: IMAGE, command: ["sh", "-c", script], ...options });

  /** What lies in the store of containers. */
  const traces = () =>
    [join(test.store.root, "containers"), join(test.store.runRoot, "containers")].flatMap((path) =>
      existsSync(path) ? readdirSync(path) : [],
    );

  it("gives the exit code and both outputs, apart", async () => {
    const result = await sh("echo out; echo err >&2; exit 3");
    assert.equal(result.status, 3);
    assert.deepEqual(result.exit, { kind: "exited", code: 3 });
    assert.equal(result.stdout, "out\n");
    assert.equal(result.stderr, "err\n");
  });

  it("counts a signal as a shell does", async () => {
    const result = await sh('sh -c "kill -TERM \\$\\$"; echo $?');
    assert.equal(result.stdout, "143\n");
  });

  it("leaves nothing of the container", async () => {
    await sh("echo x > /file; mkdir -p /a/b/c; ln -s / /a/link");
    assert.deepEqual(traces(), []);
    assert.deepEqual(await list({ ...test.store, all: true }), []);
  });

  it("starts from the image each time", async () => {
    await sh("echo x > /file");
    assert.equal((await sh("cat /file")).status, 1);
  });

  it("gives every byte in and out as it is", async () => {
    const bytes = Buffer.alloc(3_000_000, 0);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 8)) & 0xff;
    const result = await run({ ...test.store, image: IMAGE, command: ["cat"], input: bytes });
    assert.ok(result.bytes.stdout.equals(bytes), `${result.bytes.stdout.length} bytes came back`);
  });

  it("takes a stream in and gives a stream out", async () => {
    const out = new PassThrough();
    const collected = text(out);
    const input = Readable.from(["a\n", "b\n", "c\n"]);
    const result = await run({
      ...test.store,
      image: IMAGE,
      command: ["sort", "-r"],
      input,
      stdout: out,
    });
    assert.equal(result.stdout, "");
    assert.equal(await collected, "c\nb\na\n");
  });

  it("does not wait for input that nobody reads", async () => {
    const endless = new Readable({ read: () => endless.push(Buffer.alloc(65536)) });
    const result = await run({ ...test.store, image: IMAGE, command: ["true"], input: endless });
    assert.equal(result.status, 0);
    endless.destroy();
  });

  it("has an empty stdin without input", async () => {
    assert.equal((await sh("cat; echo end")).stdout, "end\n");
  });

  it("shows the container its own host name, pids, mounts and no capabilities to administer", async () => {
    const { stdout } = await sh(
      "hostname; echo $$; ls /sys/fs/cgroup | head -1; mount -t tmpfs x /mnt",
      {
        hostname: "box",
      },
    );
    assert.match(stdout, /^box\n1\ncgroup\./);
    assert.equal((await sh("mount -t tmpfs x /mnt")).status !== 0, true);
  });

  it("passes environment, user, working directory and groups", async () => {
    const { stdout } = await sh("echo $A; id -u; id -g; id -G; pwd; echo $HOME; umask", {
      env: { A: "b c" },
      user: "7:8",
      groupAdd: ["9"],
      workdir: "/made/for/it",
      umask: 0o077,
    });
    assert.equal(stdout, "b c\n7\n8\n8 9\n/made/for/it\n/\n0077\n");
  });

  it("mounts what is asked for, read-only where it is", async () => {
    const { stdout } = await sh(
      "cat /in/busybox >/dev/null && echo read; touch /in/x || echo ro; df -m /big | tail -1",
      {
        mounts: [
          { type: "bind", source: "/bin", target: "/in", options: ["ro"], createSource: false },
          { type: "tmpfs", target: "/big", options: ["size=5m"] },
        ],
      },
    );
    assert.match(stdout, /^read\nro\n\S+\s+5\s/);
  });

  it("gives a container ids of its own with a user namespace", async () => {
    const { stdout } = await sh("id -u; cat /proc/self/uid_map; touch /x && stat -c %u /x", {
      namespaces: { user: { kind: "auto" } },
    });
    assert.match(stdout, /^0\n\s+0\s+\d{9,}\s+65536\n0\n$/);
  });

  it("rejects with COMMAND_NOT_FOUND and leaves nothing", async () => {
    await assert.rejects(
      run({ ...test.store, image: IMAGE, command: ["no-such-thing"] }),
      (error) =>
        error instanceof TsrunError &&
        error.code === "COMMAND_NOT_FOUND" &&
        error.message.includes('"no-such-thing"'),
    );
    assert.deepEqual(traces(), []);
  });

  it("rejects with COMMAND_NOT_EXECUTABLE for a file that is none", async () => {
    await assert.rejects(run({ ...test.store, image: IMAGE, command: ["/etc/passwd"] }), {
      code: "COMMAND_NOT_EXECUTABLE",
    });
  });

  for (const [what, options, code] of [
    ["an image that is not there", { image: "nowhere" }, "NOT_FOUND"],
    ["a root that is not there", { image: undefined, rootfs: "/no/such/root" }, "NOT_FOUND"],
    ["neither image nor root", { image: undefined }, "INVALID_ARGUMENT"],
    ["a user that is not there", { user: "nobody-here" }, "INVALID_ARGUMENT"],
    ["a host's sysctl", { sysctls: { "vm.swappiness": "1" } }, "INVALID_ARGUMENT"],
    ["a bad host name", { hostname: "-x-" }, "INVALID_ARGUMENT"],
    [
      "a bind source that is not there",
      {
        mounts: [
          { type: "bind", source: "/no/such", target: "/x", options: [], createSource: false },
        ],
      },
      "NOT_FOUND",
    ],
    ["a capability that does not exist", { capAdd: ["FLY"] }, "INVALID_ARGUMENT"],
  ] as const) {
    it(`rejects ${what} with a sentence and a hint, and leaves nothing`, async () => {
      await assert.rejects(sh("true", options), (error) => {
        assert.ok(error instanceof TsrunError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, /^[a-z"]/);
        assert.match(error.hint ?? "", /[.`"]$/);
        return true;
      });
      assert.deepEqual(traces(), []);
    });
  }

  it("is killed and removed when its signal fires", async () => {
    const abort = new AbortController();
    const running = sh("trap '' TERM INT; while :; do sleep 1; done", { signal: abort.signal });
    setTimeout(() => abort.abort(), 100);
    await assert.rejects(running, { code: "ABORTED" });
    assert.deepEqual(traces(), []);
  });

  it("does not even start when its signal has fired", async () => {
    await assert.rejects(sh("true", { signal: AbortSignal.abort() }), { code: "ABORTED" });
    assert.deepEqual(traces(), []);
  });

  it("ends with its first process, whatever the others do", async () => {
    const started = performance.now();
    const result = await sh("sleep 100 & sleep 100 & exit 4");
    assert.equal(result.status, 4);
    assert.ok(performance.now() - started < 20_000);
  });

  it("runs many at once", async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => sh(`echo ${i}; exit ${i}`)),
    );
    assert.deepEqual(
      results.map(({ status, stdout }) => [status, stdout]),
      Array.from({ length: 12 }, (_, i) => [i, `${i}\n`]),
    );
    assert.deepEqual(traces(), []);
  });
});
