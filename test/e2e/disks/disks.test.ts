/**
 * --disk: a limit inside that the host does not feel, and nothing left of it on the host, loop devices and
 * mounts included.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Cli, runProgram } from "../../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

const MIB = 1024 * 1024;

async function image(name: string): Promise<string> {
  const id = await cli.ok("inspect", "--format", "{{.Id}}", name);
  return join(cli.base, "root/containers", id, "disk.img");
}

/** Loop devices over files of this test's store; removed containers' files are shown as deleted. */
function loops(): readonly string[] {
  return readdirSync("/sys/block").flatMap((name) => {
    const path = `/sys/block/${name}/loop/backing_file`;
    if (!name.startsWith("loop") || !existsSync(path)) return [];
    try {
      return readFileSync(path, "utf8").includes(cli.base) ? [name] : [];
    } catch {
      return []; // taken off meanwhile
    }
  });
}

function mounts(): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(cli.base));
}

/** The kernel takes the last mount, and with it the loop device, away in its own time. */
async function nothingIsMounted(): Promise<void> {
  assert.deepEqual(mounts(), []);
  for (let attempt = 0; loops().length > 0; attempt += 1) {
    assert.ok(attempt < 500, `still there: ${loops().join(" ")}`);
    await setTimeout(20);
  }
}

const FILL = "dd if=/dev/zero of=/big bs=1M count=200 2>&1; sync; df -m / | tail -n1";

describe("--disk", () => {
  it("is full inside, and takes no more outside", async () => {
    const run = await cli.run([
      "run",
      "--name",
      "full",
      "--disk",
      "32m",
      "busybox",
      "sh",
      "-c",
      FILL,
    ]);
    assert.match(run.stdout, /No space left on device/);
    const [, size = "", , , used = ""] = run.stdout.trim().split("\n").at(-1)?.split(/\s+/) ?? [];
    assert.ok(Number(size) <= 32, run.stdout);
    assert.match(used, /^(9[5-9]|100)%$/);
    const { size: bytes, blocks } = statSync(await image("full"));
    assert.equal(bytes, 32 * MIB);
    assert.ok(blocks * 512 <= 32 * MIB);
    await nothingIsMounted();
  });

  it("keeps what is written over restarts, and is there for cp, diff and commit", async () => {
    const script = "echo x >> /lines; wc -l < /lines";
    await cli.ok("create", "--name", "kept", "--disk", "32m", "busybox", "sh", "-c", script);
    assert.equal(await cli.ok("start", "-a", "kept"), "1");
    assert.equal(await cli.ok("start", "-a", "kept"), "2");
    assert.equal(await cli.ok("diff", "kept"), "A /lines");
    await cli.ok("cp", "kept:/lines", cli.file("lines"));
    assert.equal(readFileSync(cli.file("lines"), "utf8"), "x\nx\n");
    await cli.ok("commit", "kept", "committed");
    assert.equal(await cli.ok("run", "--rm", "committed", "cat", "/lines"), "x\nx");
    await nothingIsMounted();
  });

  it("gives back what is deleted, and with static takes all at once", async () => {
    const script = "dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; sync; rm /big; sync";
    await cli.ok("run", "--name", "sparse", "--disk", "64m", "busybox", "sh", "-c", script);
    assert.ok(statSync(await image("sparse")).blocks * 512 < 16 * MIB);
    const options = ["--disk", "32m", "--disk-alloc", "static"];
    await cli.ok("run", "--name", "static", ...options, "busybox", "sh", "-c", script);
    assert.ok(statSync(await image("static")).blocks * 512 >= 32 * MIB);
    const format = "{{.HostConfig.Disk}} {{.HostConfig.DiskAlloc}}";
    assert.equal(await cli.ok("inspect", "--format", format, "static"), `${32 * MIB} static`);
  });

  it("grows, and never shrinks", async () => {
    const size = "df -m / | tail -n1 | awk '{ print $2 }'";
    await cli.ok("create", "--name", "grows", "--disk", "32m", "busybox", "sh", "-c", size);
    const before = Number(await cli.ok("start", "-a", "grows"));
    await cli.ok("update", "--disk", "96m", "grows");
    const afterwards = Number(await cli.ok("start", "-a", "grows"));
    assert.ok(afterwards >= before + 48, `${before} ${afterwards}`);
    const smaller = await cli.run(["update", "--disk", "64m", "grows"]);
    assert.match(smaller.stderr, /cannot become smaller/);
    const none = await cli.run(["update", "--disk", "64m", "committed-not"]);
    assert.equal(none.status, 125);
    await nothingIsMounted();
  });

  it("has snapshots on itself, and clones with a disk of their own", async () => {
    const script = "echo x >> /lines; wc -l < /lines";
    await cli.ok("create", "--name", "snaps", "--disk", "32m", "busybox", "sh", "-c", script);
    const runs = async (name: string) => Number(await cli.ok("start", "-a", name));
    await runs("snaps");
    await cli.ok("snapshot", "snaps", "one");
    assert.equal(await runs("snaps"), 2);
    await cli.ok("clone", "snaps", "copy");
    await cli.ok("clone", "--snapshot", "one", "snaps", "copy1");
    await cli.ok("restore", "snaps", "one");
    assert.equal(await runs("snaps"), 2);
    await cli.ok("rm", "snaps");
    assert.deepEqual([await runs("copy"), await runs("copy1")], [3, 2]);
    await cli.ok("rm", "copy", "copy1");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
    await nothingIsMounted();
  });

  it("works with ids of its own, and clean at each start", async () => {
    const script = "echo x >> /lines; wc -l < /lines; stat -c %u /lines";
    const options = ["--disk", "32m", "--userns", "auto", "--root-mode", "shared"];
    await cli.ok("create", "--name", "ids", ...options, "busybox", "sh", "-c", script);
    assert.equal(await cli.ok("start", "-a", "ids"), "1\n0");
    assert.equal(await cli.ok("start", "-a", "ids"), "1\n0");
  });

  it("goes with --rm, and says what it needs", async () => {
    assert.equal(await cli.ok("run", "--rm", "--disk", "32m", "busybox", "echo", "hi"), "hi");
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [["run", "--rm", "--disk", "1m", "busybox", "true"], /are no disk\n.*16m/],
      [["run", "--rm", "--disk-alloc", "static", "busybox", "true"], /--disk-alloc is of a disk/],
      [
        ["run", "--rm", "--disk", "32m", "--root-mode", "ephemeral", "busybox", "true"],
        /an ephemeral root cannot be on a disk/,
      ],
      [["update", "--disk", "1g", "nobody"], /there is no container "nobody"/],
    ];
    for (const [args, message] of refusals) {
      const { status, stderr } = await cli.run(args);
      assert.equal(status, 125, args.join(" "));
      assert.match(stderr, message);
    }
  });

  it("names the package of what is missing, and leaves nothing", async () => {
    const before = readdirSync(join(cli.base, "root/containers"));
    const hidden = "mount -t tmpfs none /usr/sbin && exec bin/tsrun";
    const commands = [
      `${hidden} run --rm --name toolless --disk 32m busybox true`,
      `${hidden} volume create --opt size=32m toolless`,
    ];
    for (const command of commands) {
      const args = ["-m", "--propagation", "private", "sh", "-c", command];
      const { status, stderr } = await runProgram("unshare", args, { env: cli.env });
      assert.equal(status, 125, stderr);
      assert.match(stderr, /needs mkfs\.ext4, which is not installed\n.*e2fsprogs/);
    }
    assert.deepEqual(readdirSync(join(cli.base, "root/containers")), before);
    assert.deepEqual(readdirSync(join(cli.base, "root/restoring")), []);
    assert.equal(await cli.ok("volume", "ls", "-q"), "");
    assert.equal((await cli.run(["inspect", "toolless"])).status, 125);
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
    await nothingIsMounted();
  });

  it("is unmounted and removed after everything", async () => {
    await cli.ok("rm", "-f", "-a");
    await nothingIsMounted();
    assert.deepEqual(readdirSync(join(cli.base, "root/containers")), []);
  });
});
