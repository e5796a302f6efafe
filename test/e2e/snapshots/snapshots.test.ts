/**
 * Snapshots as typed: what a container sees after each, and what is kept of them on the disk.
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

describe("tsrun snapshot and restore", () => {
  it("put back what was there, as often as wanted", async () => {
    await counting(cli, "web");
    assert.equal(await runs(cli, "web"), 1);
    assert.equal(await cli.ok("snapshot", "web", "one"), "one");
    assert.equal(await runs(cli, "web"), 2);
    assert.equal(await cli.ok("snapshot", "web"), "snap0");
    for (let turn = 0; turn < 2; turn += 1) {
      assert.equal(await cli.ok("restore", "web", "one"), "web");
      assert.equal(await runs(cli, "web"), 2);
      assert.equal(await runs(cli, "web"), 3);
    }
    await cli.ok("restore", "web", "snap0");
    assert.equal(await runs(cli, "web"), 3);
    assert.equal(await cli.ok("snapshots", "--quiet", "web"), "one\nsnap0");
    assert.equal(await cli.ok("diff", "web"), "A /lines");
  });

  it("keep deletions, modes, links and attributes", async () => {
    const script = [
      "rm -rf /usr/share /bin/ar",
      "mkdir -p /d && rm -rf /d && mkdir /d && chmod 1701 /d && touch /d/f && ln /d/f /d/g",
      "chmod 711 /",
    ].join("; ");
    const look = "ls -ld / /d; stat -c '%h %i' /d/f /d/g | uniq | wc -l; ls /bin/ar 2>&1; true";
    await cli.ok("create", "--name", "odd", "busybox", "sh", "-c", `${script}; ${look}`);
    const seen = await cli.ok("start", "-a", "odd");
    await cli.ok("snapshot", "odd");
    await cli.ok("clone", "odd", "odd2");
    await cli.ok("run", "-d", "--name", "odd3", "busybox", "sh", "-c", `${script}; sleep 1000`);
    await cli.shell("until tsrun exec odd3 test -e /d/g; do :; done");
    for (const name of ["odd", "odd2", "odd3"]) {
      if (name === "odd3") await cli.ok("clone", "odd3", "odd4");
    }
    await cli.ok("rm", "-f", "odd3");
    await cli.ok("start", "odd4");
    assert.equal(await cli.ok("exec", "odd4", "sh", "-c", look), seen);
    await cli.ok("rm", "-f", "odd4");
  });

  it("say what is wrong", async () => {
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [["restore", "web", "nope"], /"web" has no snapshot "nope"\n.*tsrun snapshots web/],
      [["snapshot", "web", "one"], /has a snapshot "one" already/],
      [["snapshot", "web", "a/b"], /"a\/b" cannot be the name of a snapshot/],
      [["snapshot", "rm", "web", "nope"], /has no snapshot "nope"/],
      [["clone", "web", "web"], /"web" belongs to another container/],
      [["clone", "--snapshot", "nope", "web"], /has no snapshot "nope"/],
    ];
    for (const [args, message] of refusals) {
      const { status, stderr } = await cli.run(args);
      assert.equal(status, 125, args.join(" "));
      assert.match(stderr, message);
    }
    await cli.ok("create", "--name", "clean", "--root-mode", "shared", "busybox", "true");
    assert.match((await cli.run(["snapshot", "clean"])).stderr, /its root is shared/);
  });

  it("list what each takes, for people and for scripts", async () => {
    assert.match(
      await cli.ok("snapshots", "web"),
      /^NAME +CREATED +SIZE +LAYERS +TAKEN WHILE\none /,
    );
    const rows = JSON.parse(await cli.ok("snapshots", "--format", "json", "web"));
    assert.deepEqual(
      rows.map(({ Name, Layers, Taken }: Record<string, unknown>) => [Name, Layers, Taken]),
      [
        ["one", 1, "stopped"],
        ["snap0", 2, "stopped"],
      ],
    );
    assert.ok(rows.every(({ RawSize }: { RawSize: number }) => RawSize > 0));
    assert.equal(await cli.ok("inspect", "--format", "{{.Snapshots}}", "web"), "[one snap0]");
    assert.match(await cli.ok("system", "df"), /^Snapshots +3 /m);
  });

  it("take a container that runs at one moment, and let it go on", async () => {
    const script = "i=0; while :; do i=$((i+1)); echo $i >> /a; echo $i >> /b; done";
    await cli.ok(
      "run",
      "-d",
      "--name",
      "busy",
      "--stop-timeout",
      "0",
      "busybox",
      "sh",
      "-c",
      script,
    );
    await cli.shell("until tsrun exec busy test -s /b; do :; done");
    await cli.ok("snapshot", "busy", "live");
    const at = Number(await cli.ok("exec", "busy", "tail", "-n1", "/a"));
    await cli.shell(`until [ "$(tsrun exec busy tail -n1 /a)" -gt ${at} ]; do :; done`);
    assert.equal(await cli.ok("inspect", "--format", "{{.State.Status}}", "busy"), "running");
    const refused = await cli.run(["restore", "busy", "live"]);
    assert.match(
      refused.stderr,
      /cannot restore the container "busy": it is running\n.*tsrun stop/,
    );
    await cli.ok("stop", "busy");
    await cli.ok("restore", "busy", "live");
    await cli.ok("cp", "busy:/a", cli.file("a"));
    await cli.ok("cp", "busy:/b", cli.file("b"));
    const { stdout } = await cli.shell(`tail -qn1 ${cli.file("a")} ${cli.file("b")}`);
    const [a = 0, b = 0] = stdout.trim().split("\n").map(Number);
    assert.ok(b === a || b === a - 1, `one moment: ${a} ${b}`);
    await cli.ok("rm", "busy");
  });
});

describe("tsrun snapshot rm", () => {
  it("deletes what only that snapshot kept", async () => {
    await counting(cli, "rest");
    await runs(cli, "rest");
    await cli.ok("snapshot", "rest", "kept");
    await runs(cli, "rest");
    await cli.ok("snapshot", "rest", "dropped");
    await cli.ok("restore", "rest", "kept");
    const own = await directory(cli, "rest");
    const uppers = () => readdirSync(own).filter((name) => name.startsWith("upper"));
    assert.equal(uppers().length, 3);
    assert.equal(await cli.ok("snapshot", "rm", "rest", "dropped"), "dropped");
    assert.equal(uppers().length, 2);
    assert.equal(await runs(cli, "rest"), 2);
    await cli.ok("snapshot", "rm", "rest", "kept");
    assert.equal(await runs(cli, "rest"), 3, "the container still stands on it");
    await cli.ok("rm", "rest");
    assert.equal(existsSync(own), false);
  });
});
