/**
 * --root-mode: what of a container's changes is there at its next start, and where they are meanwhile.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

/** Counts its own starts in a file, and says so. */
const COUNT = 'echo x >> /count; rm -f /etc/gone; grep -c x /count; stat -c "%a %U" /';

async function starts(...options: readonly string[]): Promise<readonly string[]> {
  const name = `counts${options.join("").replace(/\W/g, "")}`;
  await cli.ok("create", "--name", name, ...options, "busybox", "sh", "-c", COUNT);
  const seen: string[] = [];
  for (let run = 0; run < 3; run += 1) {
    seen.push((await cli.ok("start", "--attach", name)).replace("\n", " "));
  }
  return seen;
}

describe("--root-mode", () => {
  it("private, which create has without it, keeps changes over restarts", async () => {
    assert.deepEqual(await starts(), ["1 755 root", "2 755 root", "3 755 root"]);
    assert.deepEqual(await starts("--root-mode", "private"), [
      "1 755 root",
      "2 755 root",
      "3 755 root",
    ]);
  });

  for (const mode of ["shared", "ephemeral"]) {
    it(`${mode} begins clean at every start`, async () => {
      const clean = ["1 755 root", "1 755 root", "1 755 root"];
      assert.deepEqual(await starts("--root-mode", mode), clean);
    });

    it(`${mode} does so with ids of its own, too`, async () => {
      const clean = ["1 755 root", "1 755 root", "1 755 root"];
      assert.deepEqual(await starts("--root-mode", mode, "--userns", "auto"), clean);
    });
  }

  it("shared shows what the last run changed, until the next", async () => {
    await cli.ok("create", "--name", "left", "--root-mode", "shared", "busybox", "touch", "/new");
    assert.equal(await cli.ok("diff", "left"), "");
    await cli.ok("start", "-a", "left");
    assert.equal(await cli.ok("diff", "left"), "A /new");
  });

  it("shared finds its users in the image, not in what the last run left", async () => {
    const script = "echo me:x:7:7::/: >> /etc/passwd; id -u";
    await cli.ok(
      "create",
      "--name",
      "users",
      "--root-mode",
      "shared",
      "busybox",
      "sh",
      "-c",
      script,
    );
    for (let run = 0; run < 2; run += 1) assert.equal(await cli.ok("start", "-a", "users"), "0");
  });

  it("ephemeral has its changes in memory, and no more than its size", async () => {
    const script = "dd if=/dev/zero of=/big bs=1M count=8 2>&1; grep -c ' / overlay' /proc/mounts";
    const options = ["--name", "small", "--root-mode", "ephemeral", "--root-size", "4m"];
    const { stdout } = await cli.run(["run", ...options, "busybox", "sh", "-c", script]);
    assert.match(stdout, /No space left on device/);
    assert.match(stdout, /^1$/m);
    const id = await cli.ok("inspect", "--format", "{{.Id}}", "small");
    const upper = join(cli.base, "root/containers", id, "upper");
    assert.deepEqual(readdirSync(upper), [], "nothing reached the disk");
  });

  it("fills a new volume from the image, whatever the mode", async () => {
    for (const mode of ["shared", "ephemeral"]) {
      const options = ["--rm", "--root-mode", mode, "-v", `filled-${mode}:/bin`];
      assert.equal(await cli.ok("run", ...options, "busybox", "echo", "hi"), "hi");
    }
  });

  it("tells inspect, and refuses what would be lost", async () => {
    await cli.ok(
      "create",
      "--name",
      "mem",
      "--root-mode",
      "ephemeral",
      "--root-size",
      "9m",
      "busybox",
      "true",
    );
    const format = "{{.HostConfig.RootMode}} {{.HostConfig.RootSize}}";
    assert.equal(await cli.ok("inspect", "--format", format, "mem"), `ephemeral ${9 * 1024 ** 2}`);
    const refused = await cli.run(["cp", "/etc/hostname", "mem:/x"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /its root is ephemeral/);
    await cli.ok("cp", "mem:/bin/sh", cli.file("sh"));
    const diff = await cli.run(["diff", "mem"]);
    assert.match(diff.stderr, /in memory alone/);
  });

  it("says what it does not know", async () => {
    const odd = await cli.run(["run", "--rm", "--root-mode", "odd", "busybox", "true"]);
    assert.match(odd.stderr, /"odd" for --root-mode.*\n.*private, shared, ephemeral/);
    const sized = await cli.run(["run", "--rm", "--root-size", "4m", "busybox", "true"]);
    assert.match(sized.stderr, /only an ephemeral root has a size/);
  });
});
