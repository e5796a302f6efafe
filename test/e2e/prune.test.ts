/** `system prune` and `container prune` as typed: what goes, what stays, and that somebody is asked. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

const names = async () =>
  (await cli.ok("ps", "-a", "--format", "{{.Names}}")).split("\n").toSorted();
const images = async () =>
  (await cli.ok("images", "-a", "--format", "{{.Repository}}")).split("\n").toSorted();
const create = (name: string, ...words: readonly string[]) =>
  cli.ok("create", "--name", name, ...words, "busybox", "true");

describe("tsrun container prune", () => {
  it("removes what has ended or never ran, and nothing that somebody may come back to", async () => {
    const never = await create("never");
    const ended = await create("ended");
    await cli.ok("start", "ended");
    await cli.ok("wait", "ended");
    await create("kept");
    await cli.ok("start", "--attach", "kept");
    await cli.ok("snapshot", "kept", "before");
    await cli.ok("run", "-d", "--name", "runs", "busybox", "sleep", "1000");
    const removed = await cli.ok("container", "prune", "-f");
    assert.deepEqual(removed.split("\n").toSorted(), [never, ended].toSorted());
    assert.deepEqual(await names(), ["kept", "runs"]);
    assert.equal(await cli.ok("container", "prune"), "", "with nothing to remove nobody is asked");
    await cli.ok("rm", "-f", "kept", "runs");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });

  it("takes filters, and asks", async () => {
    await create("one", "--label", "ci=1");
    await create("two", "--label", "ci=2");
    const asked = await cli.run(["container", "prune", "--filter", "label=ci=1"]);
    assert.match(asked.stderr, /will be lost:\none\n[\s\S]*no terminal[\s\S]*--force/);
    assert.notEqual(asked.status, 0);
    await cli.ok("container", "prune", "-f", "--filter", "label=ci=1");
    assert.deepEqual(await names(), ["two"]);
    const wrong = await cli.run(["container", "prune", "-f", "--filter", "lable=ci"]);
    assert.match(wrong.stderr, /there is no filter "lable"\nHint: Did you mean label=…\?/);
    assert.deepEqual(await names(), ["two"]);
    await cli.ok("rm", "two");
  });
});

describe("tsrun system prune", () => {
  it("removes containers that do not run and images without a name", async () => {
    await create("web");
    const unnamed = await cli.ok("commit", "-q", "web");
    await cli.ok("volume", "create", "data");
    const asked = await cli.run(["system", "prune"]);
    assert.match(asked.stderr, /all containers that do not run[\s\S]*--force/);
    assert.notEqual(asked.status, 0);
    assert.deepEqual(await names(), ["web"]);
    const { stdout, stderr } = await cli.run(["prune", "-f"]);
    assert.match(stdout, /^Deleted Containers\n[0-9a-f]+\nDeleted Images\n/);
    assert.ok(stdout.includes(unnamed));
    assert.match(stderr, /^Freed \d/m);
    assert.deepEqual(await names(), [""]);
    assert.equal((await images()).length, 1);
    assert.equal(await cli.ok("volume", "ls", "-q"), "data");
  });

  it("--all --volumes leaves what a running container stands on", async () => {
    await cli.ok("tag", "busybox", "needed");
    await cli.ok("run", "-d", "--name", "runs", "-v", "used:/used", "needed", "sleep", "1000");
    await cli.ok("run", "--rm", "busybox", "true");
    await cli.ok("system", "prune", "-f", "-a", "--volumes", "--build-cache");
    assert.deepEqual(await names(), ["runs"]);
    assert.equal(await cli.ok("volume", "ls", "-q"), "used");
    assert.notDeepEqual(await images(), [""], "its image is there");
    await cli.ok("rm", "-f", "runs");
    const { stdout } = await cli.run(["system", "prune", "-f", "-a", "--volumes"]);
    assert.match(stdout, /Deleted Volumes\nused\n/);
    assert.deepEqual(await images(), [""]);
    assert.equal(await cli.ok("system", "check", "--images"), "Nothing is left behind.");
  });
});
