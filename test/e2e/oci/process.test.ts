import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { receiveFds, waitReadable } from "../../../src/ffi/index.ts";
import { type Config, OciBundle } from "../../support/oci.ts";

const sh = (script: string) => (config: Config) => {
  config.process.args = ["sh", "-c", script];
};

/** What the program of a run wrote. */
async function ran(bundle: OciBundle, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await bundle.call(["run", ...args, "c1"]);
  assert.equal(status, 0, stderr);
  return stdout.trimEnd();
}

const OPEN_FDS = "cd /proc/self/fd; for f in [0-9]*; do [ -e $f ] && echo $f; done";

describe("tsrun-oci, what a program begins with", () => {
  it("has stdio and nothing else, whatever the caller left open", async () => {
    await using bundle = await OciBundle.create(sh(OPEN_FDS));
    const leak = openSync("/etc/hostname", "r");
    try {
      const { stdout } = await bundle.call(["run", "c1"], { fds: [leak, "ignore", leak] });
      assert.deepEqual(stdout.trim().split("\n"), ["0", "1", "2"]);
    } finally {
      closeSync(leak);
    }
  });

  it("gets the descriptors that --preserve-fds names, by their numbers", async () => {
    await using bundle = await OciBundle.create(sh(`cat <&3; cat <&4; ${OPEN_FDS}`));
    const fds = ["three", "four"].map((name) => {
      writeFileSync(join(bundle.base, name), `${name}\n`);
      return openSync(join(bundle.base, name), "r");
    });
    try {
      const { stdout, stderr } = await bundle.call(["run", "--preserve-fds", "2", "c1"], { fds });
      assert.deepEqual(
        stdout.trim().split("\n"),
        ["three", "four", "0", "1", "2", "3", "4"],
        stderr,
      );
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  });

  it("refuses to preserve a descriptor that the caller did not open", async () => {
    await using bundle = await OciBundle.create();
    const { status, stderr } = await bundle.call(["create", "--preserve-fds", "1", "c1"]);
    assert.equal(status, 1);
    assert.match(stderr, /please check that preserved-fd 3 \(of 1\) is present/);
  });

  it("has the environment of config.json, and nothing of the caller's", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.process.args = ["env"];
      config.process.env = ["PATH=/bin", "A=1"];
    });
    const { stdout } = await bundle.call(["run", "c1"], {
      env: { TTRPC_ADDRESS: "leak", A: "no" },
    });
    assert.deepEqual(stdout.trim().split("\n").sort(), ["A=1", "HOME=/root", "PATH=/bin"]);
  });

  it("executes further programs, with their own status, user, directory and environment", async () => {
    await using bundle = await OciBundle.create();
    assert.equal((await bundle.call(["run", "-d", "c1"])).status, 0);
    const exec = (...args: readonly string[]) => bundle.call(["exec", ...args]);
    assert.equal((await exec("c1", "sh", "-c", "exit 9")).status, 9);
    assert.equal((await exec("c1", "sh", "-c", "kill -9 $$")).status, 137);
    const whole = await exec(
      "-e",
      "X=y",
      "-u",
      "7:8",
      "--cwd",
      "/etc",
      "c1",
      "sh",
      "-c",
      "echo $X $(id -u):$(id -g) $PWD",
    );
    assert.equal(whole.stdout, "y 7:8 /etc\n");
    const missing = await exec("c1", "nope");
    assert.equal(missing.status, 255);
    assert.match(
      missing.stderr,
      /exec failed: unable to start container process: exec: \\"nope\\": executable file not found in \$PATH/,
    );
  });

  it("leaves a detached program alone, its pid in the file before it returns", async () => {
    await using bundle = await OciBundle.create();
    assert.equal((await bundle.call(["run", "-d", "c1"])).status, 0);
    const [pidFile, process] = [join(bundle.base, "pid"), join(bundle.base, "process.json")];
    writeFileSync(
      process,
      JSON.stringify({
        args: ["sleep", "33"],
        cwd: "/",
        user: { uid: 5, gid: 6 },
        env: ["PATH=/bin"],
      }),
    );
    const args = ["exec", "--process", process, "--detach", "--pid-file", pidFile, "c1"];
    assert.deepEqual(await bundle.call(args), { status: 0, stdout: "", stderr: "" });
    const pid = Number(readFileSync(pidFile, "utf8"));
    assert.equal(readFileSync(`/proc/${pid}/cmdline`, "utf8"), "sleep\0" + "33\0");
    const pids: number[] = JSON.parse((await bundle.call(["ps", "-f", "json", "c1"])).stdout);
    assert.ok(pids.includes(pid));
    const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    assert.doesNotMatch(readFileSync(`/proc/${parent}/comm`, "utf8"), /tsrun/);
  });

  it("sends the terminal's master to the console socket, with the size that was asked for", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.process.args = ["sh", "-c", "tty; stty size; exit 3"];
      Object.assign(config.process, { terminal: true, consoleSize: { height: 31, width: 77 } });
    });
    const path = join(bundle.base, "console.sock");
    const listener = createServer({ pauseOnConnect: true });
    await new Promise<void>((done) => listener.listen(path, done));
    const connected = new Promise<number>((done) => {
      listener.on("connection", (socket) => {
        done((socket as unknown as { _handle: { fd: number } })._handle.fd);
      });
    });
    try {
      const create = bundle.call(["create", "--console-socket", path, "c1"]);
      const socket = await connected;
      await waitReadable(socket);
      const message = receiveFds(socket);
      const [master] = message?.fds ?? [];
      assert.equal(Buffer.from(message?.data ?? "").toString(), "/dev/ptmx");
      assert.ok(master !== undefined);
      assert.deepEqual(await create, { status: 0, stdout: "", stderr: "" });
      assert.equal((await bundle.call(["start", "c1"])).status, 0);
      assert.equal(readTerminal(master), "/dev/pts/0\r\n31 77\r\n");
      closeSync(master);
    } finally {
      listener.close();
    }
  });

  it("wants a console socket for a terminal that it leaves, and none without one", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.process.terminal = true;
    });
    const { stderr } = await bundle.call(["create", "c1"]);
    assert.match(stderr, /cannot allocate tty if runc will detach without setting console socket/);
    await using other = await OciBundle.create();
    const useless = await other.call(["create", "--console-socket", "/nope", "c1"]);
    assert.match(
      useless.stderr,
      /cannot use console socket if runc will not detach or allocate tty/,
    );
    assert.equal(existsSync(join(other.root, "c1")), false);
  });

  it("gives its user the pipes of its stdio, and never the host's null device", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.process.user = { uid: 1234, gid: 1235 };
      config.process.args = ["sh", "-c", "echo reopened > /dev/stdout"];
    });
    const before = statSync("/dev/null");
    assert.equal(await ran(bundle), "reopened");
    const { uid, gid, ctimeMs } = statSync("/dev/null");
    assert.deepEqual([uid, gid, ctimeMs], [before.uid, before.gid, before.ctimeMs]);
  });

  it("does without pivot_root where it is told to", async () => {
    await using bundle = await OciBundle.create(
      sh("ls -d /bin /proc/self; cd ../../..; ls -d bin"),
    );
    assert.equal(await ran(bundle, "--no-pivot"), "/bin\n/proc/self\nbin");
  });
});

/** All of it: a master whose other side is closed reads EIO. */
function readTerminal(master: number): string {
  const bytes = new Uint8Array(1024);
  let text = "";
  for (;;) {
    try {
      text += Buffer.from(bytes.subarray(0, readSync(master, bytes))).toString();
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EIO") throw error;
      return text;
    }
  }
}
