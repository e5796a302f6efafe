/**
 * Clones as typed: what original and clone see of each other, and that nothing stays when nobody needs it.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli } from "../../support/cli.ts";
import { counting, directory, runs } from "./counting.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(() => cli[Symbol.asyncDispose]());

describe("tsrun clone", () => {
  it("goes on from what the original has, each for itself", async () => {
    await counting(cli, "first");
    await runs(cli, "first");
    await cli.ok("clone", "first", "second");
    await cli.ok("clone", "second", "third");
    assert.equal(await runs(cli, "second"), 2);
    assert.equal(await runs(cli, "first"), 2);
    assert.equal(await runs(cli, "third"), 2);
    assert.equal(await runs(cli, "third"), 3);
  });

  it("needs the original no more, and leaves nothing when the last one goes", async () => {
    const own = await directory(cli, "first");
    await cli.ok("rm", "first");
    assert.deepEqual(readdirSync(own), ["upper"], "what the others stand on");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
    assert.equal(await runs(cli, "second"), 3);
    await cli.ok("rm", "second");
    assert.equal(await runs(cli, "third"), 4);
    await cli.ok("rm", "third");
    assert.equal(existsSync(own), false);
  });

  it("starts from a snapshot, of a container that runs too", async () => {
    await cli.ok("run", "-d", "--name", "live", "--stop-timeout", "0", "busybox", "sleep", "1000");
    await cli.ok("exec", "live", "sh", "-c", "echo old > /x");
    await cli.ok("snapshot", "live", "s");
    await cli.ok("exec", "live", "sh", "-c", "echo new > /x");
    await cli.ok("clone", "--snapshot", "s", "live", "then");
    await cli.ok("clone", "live", "now");
    await cli.ok("rm", "-f", "live");
    for (const [name, text] of [
      ["then", "old"],
      ["now", "new"],
    ] as const) {
      await cli.ok("cp", `${name}:/x`, cli.file(name));
      assert.equal((await cli.shell(`cat ${cli.file(name)}`)).stdout, `${text}\n`);
      await cli.ok("rm", name);
    }
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });

  it("has a host name of its own, and on request no identity of the original's", async () => {
    const make = [
      "mkdir -p /etc/ssh /var/lib/dbus /var/lib/systemd",
      "echo 0123 > /etc/machine-id; echo 0123 > /var/lib/dbus/machine-id",
      "echo k > /etc/ssh/ssh_host_rsa_key; echo k > /etc/ssh/ssh_host_rsa_key.pub",
      "echo c > /etc/ssh/sshd_config; echo s > /var/lib/systemd/random-seed",
    ].join("; ");
    const look =
      'hostname; echo "$HOSTNAME [$(cat /etc/machine-id)]"; find /etc/ssh /var/lib -type f';
    const script = `[ -e /etc/machine-id ] || { ${make}; }; ${look}`;
    await cli.ok("create", "--name", "id", "--hostname", "orig", "busybox", "sh", "-c", script);
    assert.match(await cli.ok("start", "-a", "id"), /^orig\norig \[0123\]\n/);
    await cli.ok("clone", "id", "id-same");
    assert.match(await cli.ok("start", "-a", "id-same"), /^id-same\nid-same \[0123\]\n/);
    await cli.ok("clone", "--clear-identity", "id", "id-new");
    const seen = await cli.ok("start", "-a", "id-new");
    assert.equal(seen, "id-new\nid-new []\n/etc/ssh/sshd_config");
    await cli.ok("clone", "--clear-identity", "id-new");
  });

  it("can begin as the original was at each start", async () => {
    await counting(cli, "golden");
    await runs(cli, "golden");
    await cli.ok("clone", "--root-mode", "shared", "golden", "lesson");
    assert.deepEqual([await runs(cli, "lesson"), await runs(cli, "lesson")], [2, 2]);
    await cli.ok("clone", "--root-mode", "ephemeral", "golden", "memory");
    assert.deepEqual([await runs(cli, "memory"), await runs(cli, "memory")], [2, 2]);
  });

  it("has ids of its own where the original has", async () => {
    await counting(cli, "mapped", "--userns", "auto");
    await runs(cli, "mapped");
    await cli.ok("clone", "mapped", "mapped2");
    assert.deepEqual([await runs(cli, "mapped2"), await runs(cli, "mapped")], [2, 2]);
    const maps = "{{.HostConfig.IDMappings}}";
    assert.notEqual(
      await cli.ok("inspect", "--format", maps, "mapped"),
      await cli.ok("inspect", "--format", maps, "mapped2"),
    );
  });

  it("stacks no layer where nothing was changed", async () => {
    await cli.ok("create", "--name", "still", "busybox", "true");
    for (let copy = 0; copy < 3; copy += 1) await cli.ok("clone", "still");
    const lower = await cli.ok("inspect", "--format", "{{.GraphDriver.Data.LowerDir}}", "still");
    assert.equal(lower.split(":").length, 1);
  });
});
