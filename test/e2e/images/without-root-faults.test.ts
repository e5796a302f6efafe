/** The image commands without root, when they are broken off, killed, or when ids are missing. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TSRUN } from "../../support/cli.ts";
import { FakeRegistry, tarOf } from "../../support/fake-registry.ts";
import { OtherUser, otherUserUnavailable } from "../../support/other-user.ts";
import { Pty } from "../../support/pty.ts";

const unavailable = otherUserUnavailable();
const PLAIN = "--tls-verify=false";

describe("a user without privileges", { skip: unavailable ?? false }, () => {
  let carol: OtherUser;

  before(async () => {
    carol = new OtherUser();
    await importFile("before:1", 5);
  });
  after(() => carol[Symbol.asyncDispose]());

  async function importFile(name: string, uid: number): Promise<void> {
    const input = await tarOf([{ name: "file", uid, gid: uid, body: name }]);
    const { status, stderr } = await carol.run(["import", "-q", "-", name], { input });
    assert.deepEqual([status, stderr], [0, ""]);
  }

  it("sees the progress in a terminal, and can break it off there", async () => {
    await using slow = await FakeRegistry.open();
    const body = Buffer.alloc(3_000_000, "abc");
    const { layers } = await slow.publish("slow:latest", [[{ name: "big", body }]]);
    slow.hook = (request, response) => {
      if (!request.url?.endsWith(layers[0] ?? "")) return undefined;
      const blob = slow.blobs.get(layers[0] ?? "") ?? Buffer.alloc(0);
      response.writeHead(200, { "content-length": blob.length });
      response.write(blob.subarray(0, blob.length / 2));
      return true; // and never more
    };
    const [first, ...rest] = carol.argv(TSRUN, "pull", PLAIN, `${slow.host}/slow`);
    await using pty = new Pty(first, rest, { env: { ...carol.env, TERM: "xterm" }, cols: 120 });
    await pty.waitFor(/\d+%|B\/|kB|MB/);
    pty.type("\u0003");
    assert.equal((await pty.waitForExit()).code, 130);
    assert.deepEqual(await strays(), []);
    assert.equal(await carol.ok("system", "check"), "Nothing is left behind.");
  });

  /** Processes of the user's that are still there. */
  async function strays(): Promise<readonly string[]> {
    return readdirSync("/proc").filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return statSync(`/proc/${pid}`).uid === carol.uid;
      } catch {
        return false; // it has just ended
      }
    });
  }

  it("is told why ids are refused", async () => {
    const refused = await carol.program("setpriv", ["--no-new-privs", TSRUN, "image", "prune"]);
    assert.equal(refused.status, 125);
    assert.match(
      refused.stderr,
      /^Error: new[ug]idmap does not map your ids: new[ug]idmap: .*\nHint: .*uidmap.*no_new_privs/,
    );
    assert.deepEqual(await strays(), []);
  });

  it("is told where there are no user namespaces", async () => {
    const script = `chown 5:5 "$HOME/nobody" && echo 0 > /proc/sys/user/max_user_namespaces &&
      exec setpriv --reuid 5 --regid 5 --clear-groups env -u TSRUN_ROOT -u TSRUN_RUN_ROOT HOME="$HOME/nobody" "$0" image prune`;
    mkdirSync(carol.file("nobody"));
    chmodSync(carol.home, 0o711);
    chownSync(carol.file("nobody"), carol.uid, carol.uid);
    const { status, stderr } = await carol.run(["unshare", "sh", "-c", script, TSRUN]);
    assert.equal(status, 125, stderr);
    assert.match(stderr, /^Error: this system lets you make no user namespace\nHint: .*max_user_/);
  });

  it("killed in the middle, leaves nothing that his next command does not remove", async () => {
    const big = await tarOf([{ name: "big", uid: 5, gid: 5, body: Buffer.alloc(2_000_000, "x") }]);
    const [first, ...rest] = carol.argv(TSRUN, "import", "-", "killed:1");
    const child = spawn(first, rest, {
      env: { ...process.env, ...carol.env },
      stdio: ["pipe", "ignore", "ignore"],
    });
    const ended = new Promise<NodeJS.Signals | null>((done) =>
      child.once("exit", (_, signal) => done(signal)),
    );
    child.stdin.on("error", () => {});
    child.stdin.write(big.subarray(0, 1_500_000));
    const tmp = join(carol.root, "images/tmp");
    while (!readdirSync(tmp).some((name) => existsSync(join(tmp, name, "layer/big")))) {
      assert.equal(child.exitCode, null);
      await sleep(10);
    }
    child.kill("SIGKILL");
    assert.equal(await ended, "SIGKILL");
    assert.notDeepEqual(readdirSync(tmp), []);
    await importFile("next:1", 6);
    assert.deepEqual(readdirSync(tmp), []);
    assert.deepEqual(await strays(), []);
  });

  it("killed at each of its steps, leaves a store that works", async () => {
    await using registry = await FakeRegistry.open();
    const image = `${registry.host}/app:1`;
    await registry.publish("app:1", [[{ name: "file", uid: 7, gid: 8, body: "x" }]]);
    const script = `for step in $(seq 40); do
      export TSRUN_ROOT="$HOME/steps/$step" TSRUN_FAULT="step:$step"
      "$0" pull -q "$@" && exit
      unset TSRUN_FAULT
      "$0" pull -q "$@" || exit
      "$0" system check --images
    done 2>&1`;
    const said = await carol.ok("unshare", "bash", "-c", script, TSRUN, PLAIN, image);
    const id = await carol.ok("pull", "-q", PLAIN, image);
    const lines = said.split("\n").filter((line) => !line.includes("Killed"));
    assert.equal(lines.pop(), id);
    assert.ok(lines.length >= 8, said);
    const steps = lines.length / 2;
    assert.deepEqual(lines, Array(steps).fill([id, "Nothing is left behind."]).flat());
  });
});

describe("a user without ids but his own", { skip: unavailable ?? false }, () => {
  const tree = (uid: number) => tarOf([{ name: "etc/file", uid, gid: uid, body: "x" }]);
  const cases: readonly (readonly [string, ConstructorParameters<typeof OtherUser>[0]])[] = [
    ["since /etc/subuid has none for him", { ids: false }],
    ["since newuidmap is not installed", { newuidmap: false }],
  ];
  for (const [why, options] of cases) {
    it(`${why}, can have images of root's files alone`, async () => {
      await using dave = new OtherUser(options);
      const made = await dave.run(["import", "-q", "-", "plain:1"], { input: await tree(0) });
      assert.deepEqual([made.status, made.stderr], [0, ""]);
      assert.match(
        await dave.ok("unshare", "cat", "/proc/self/uid_map"),
        new RegExp(`^ *0 +${dave.uid} +1$`),
      );
      const refused = await dave.run(["import", "-", "other:1"], { input: await tree(12) });
      assert.equal(refused.status, 125);
      assert.match(
        refused.stderr,
        /^Error: cannot give "etc\/file" to user 12, group 12: user 12 and group 12 is not in this user namespace\nHint: You have only your own id; .*usermod.*newuidmap.*uidmap/m,
      );
      assert.deepEqual(readdirSync(join(dave.root, "images/tmp")), []);
      assert.equal(await dave.ok("system", "check", "--images"), "Nothing is left behind.");
    });
  }
});
