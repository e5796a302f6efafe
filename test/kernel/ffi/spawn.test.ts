import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { describe, it } from "node:test";
import {
  createSealedMemfd,
  isSealed,
  openStageMemfd,
  pidfdOpen,
  pidfdSendSignal,
  pipe2,
  processExists,
  reapChild,
  socketpair,
  spawnStage,
  waitChild,
} from "../../../src/ffi/index.ts";
import { syscall } from "../../../src/ffi/libc.ts";

/** Runs a program to its end and returns what it wrote to descriptor 1. */
async function output(
  stage: string | number,
  argv: readonly string[],
  { env = [], extraFds = [] }: { env?: readonly string[]; extraFds?: readonly number[] } = {},
): Promise<string> {
  const [read, write] = pipe2();
  const pid = spawnStage({ stage, argv, env, fds: [0, write, 2, ...extraFds] });
  closeSync(write);
  const text = readFileSync(read, "latin1");
  closeSync(read);
  const pidfd = pidfdOpen(pid);
  assert.deepEqual(await waitChild(pidfd), { kind: "exited", code: 0 });
  closeSync(pidfd);
  return text;
}

describe("spawnStage", () => {
  it("starts a program from a sealed memfd and leaves no descriptor of ours in it", async () => {
    const F_DUPFD = 0;
    // Node opens everything close-on-exec; a caller of tsrun may hand us what is not.
    const stray = syscall("fcntl", 0, 0, F_DUPFD, 50);
    const listing = await output(openStageMemfd("/bin/ls"), ["ls", "/proc/self/fd"]);
    closeSync(stray);
    // 3 is the directory that ls reads.
    assert.deepEqual(listing.trim().split("\n"), ["0", "1", "2", "3"]);
  });

  it("maps descriptors in any order, even where sources and targets overlap", async () => {
    const files = ["a", "b", "c"].map((text) => createSealedMemfd(text, Buffer.from(text)));
    // Occupy low numbers in the child's range with each other's sources.
    const [a = -1, b = -1, c = -1] = files;
    const script = "for n in 3 4 5; do readlink /proc/self/fd/$n; done";
    for (const order of [
      [a, b, c],
      [c, a, b],
      [b, b, a],
    ]) {
      const text = await output("/bin/sh", ["sh", "-c", script], { extraFds: order });
      const names = order.map((fd) => "abc"[files.indexOf(fd)]);
      const expected = names.map((name) => `/memfd:${name} (deleted)`).join("\n");
      assert.equal(text.trim(), expected);
    }
    for (const fd of files) closeSync(fd);
  });

  it("maps a low descriptor onto another low one without losing either", async () => {
    // 0, 1 and 2 of this process are both sources and targets.
    const pid = spawnStage({
      stage: "/bin/sh",
      argv: ["sh", "-c", 'test "$(readlink /proc/self/fd/3)" = "$1"', "sh", linkOf(0)],
      fds: [1, 2, 1, 0],
    });
    assert.deepEqual(await endOf(pid), { kind: "exited", code: 0 });
  });

  it("starts with default signal actions and an empty mask, though Node ignores SIGPIPE", async () => {
    const status = await output("/bin/cat", ["cat", "/proc/self/status"]);
    assert.match(status, /^SigIgn:\t0+$/m);
    assert.match(status, /^SigBlk:\t0+$/m);
    assert.match(readFileSync("/proc/self/status", "latin1"), /^SigIgn:\t0*[1-9a-f]/m);
  });

  it("gives exactly the environment that was asked for", async () => {
    assert.equal(await output("/usr/bin/env", ["env"]), "");
    assert.equal(
      await output("/usr/bin/env", ["env"], { env: ["A=1", "B=é"] }),
      "A=1\nB=\u00c3\u00a9\n",
    );
  });

  it("makes a session of its own when asked", async () => {
    const [read, write] = pipe2();
    const pid = spawnStage({
      stage: "/bin/sh",
      argv: ["sh", "-c", "cut -d' ' -f6 /proc/$$/stat"],
      fds: [0, write, 2],
      setsid: true,
    });
    closeSync(write);
    assert.equal(readFileSync(read, "latin1").trim(), String(pid));
    closeSync(read);
    await endOf(pid);
  });

  it("names the program when it cannot be executed, and leaves no child", () => {
    assert.throws(() => spawnStage({ stage: "/no/such", argv: ["thing"], fds: [] }), {
      errno: "ENOENT",
      subject: "thing",
    });
    assert.throws(() => spawnStage({ stage: "/etc/passwd", argv: ["thing"], fds: [] }), {
      errno: "EACCES",
    });
    assert.throws(() => spawnStage({ stage: "/bin/true", argv: ["true"], fds: [9999] }), {
      errno: "EBADF",
    });
  });

  it("does not leak descriptors here", async () => {
    const count = fdCount;
    await output("/bin/true", ["true"]);
    const before = count();
    for (let i = 0; i < 20; i++) await output("/bin/true", ["true"]);
    assert.equal(count(), before);
  });
});

describe("reaping", () => {
  it("tells an exit status, a signal, and that it still runs", async () => {
    assert.deepEqual(
      await endOf(spawnStage({ stage: "/bin/sh", argv: ["sh", "-c", "exit 7"], fds: [0, 1, 2] })),
      {
        kind: "exited",
        code: 7,
      },
    );
    const pid = spawnStage({ stage: "/bin/sleep", argv: ["sleep", "60"], fds: [0, 1, 2] });
    const pidfd = pidfdOpen(pid);
    assert.equal(reapChild({ pidfd }), undefined);
    assert.equal(reapChild({ pid }), undefined);
    assert.ok(processExists(pid));
    pidfdSendSignal(pidfd, "SIGKILL");
    assert.deepEqual(await waitChild(pidfd), { kind: "killed", signal: 9, coreDumped: false });
    assert.throws(() => reapChild({ pidfd }), { errno: "ECHILD" });
    assert.throws(() => pidfdSendSignal(pidfd, 0), { errno: "ESRCH" });
    assert.ok(!processExists(pid));
    closeSync(pidfd);
  });

  it("can be aborted, and the child lives on", async () => {
    const pid = spawnStage({ stage: "/bin/sleep", argv: ["sleep", "60"], fds: [0, 1, 2] });
    const pidfd = pidfdOpen(pid);
    await assert.rejects(waitChild(pidfd, AbortSignal.timeout(20)), { code: "ABORTED" });
    assert.equal(reapChild({ pidfd }), undefined);
    pidfdSendSignal(pidfd, "SIGTERM");
    assert.deepEqual(await waitChild(pidfd), { kind: "killed", signal: 15, coreDumped: false });
    closeSync(pidfd);
  });
});

describe("a sealed memfd", () => {
  it("cannot be changed by anybody", () => {
    const fd = createSealedMemfd("plan", Buffer.from("bytes"));
    assert.equal(readFileSync(`/proc/self/fd/${fd}`, "latin1"), "bytes");
    assert.ok(isSealed(fd));
    assert.throws(() => writeSync(fd, "x"), { code: "EPERM" });
    assert.throws(
      () => {
        const again = openSync(`/proc/self/fd/${fd}`, "r+");
        writeSync(again, "x");
      },
      { code: "EPERM" },
    );
    closeSync(fd);
  });

  it("is not executable unless that was asked for (Linux 6.3)", () => {
    const program = readFileSync("/bin/true");
    const fd = createSealedMemfd("data", program);
    assert.throws(() => spawnStage({ stage: fd, argv: ["true"], fds: [] }), { errno: "EACCES" });
    closeSync(fd);
  });

  it("holds the stage once per path", () => {
    assert.equal(openStageMemfd("/bin/true"), openStageMemfd("/bin/true"));
    assert.throws(() => openStageMemfd("/no/such"), { code: "UNSUPPORTED" });
  });
});

it("gives a socket pair whose one end Node reads and the other a child writes", async () => {
  const [ours, theirs] = socketpair();
  const pid = spawnStage({
    stage: "/bin/sh",
    argv: ["sh", "-c", "echo from child >&3"],
    fds: [0, 1, 2, theirs],
  });
  closeSync(theirs);
  let text = "";
  for await (const chunk of new Socket({ fd: ours })) text += String(chunk);
  assert.equal(text, "from child\n");
  await endOf(pid);
});

async function endOf(pid: number) {
  const pidfd = pidfdOpen(pid);
  try {
    return await waitChild(pidfd);
  } finally {
    closeSync(pidfd);
  }
}

function linkOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

function fdCount(): number {
  return readdirSync("/proc/self/fd").length;
}
