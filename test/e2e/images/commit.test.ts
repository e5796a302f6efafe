/**
 * commit, export and diff as typed: what a container changed becomes an image, and what it shows an
 * archive.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli } from "../../support/cli.ts";
import { gnuList } from "../../support/gnu-tar.ts";

let cli: Cli;

const SCRIPT = "echo new > /etc/new; rm /bin/ash; mkdir -m 1777 /srv; mkfifo /srv/fifo";

before(async () => {
  cli = await Cli.open();
  await cli.ok(
    "run",
    "--name",
    "box",
    "-e",
    "A=1",
    "-u",
    "0:0",
    "-w",
    "/tmp",
    "busybox",
    "sh",
    "-c",
    SCRIPT,
  );
});
after(() => cli[Symbol.asyncDispose]());

const inspect = async (ref: string) => JSON.parse(await cli.ok("image", "inspect", ref))[0];

describe("tsrun commit", () => {
  it("makes an image that has what the container changed, and is what it was", async () => {
    const id = await cli.ok("commit", "-q", "-a", "Ann", "-m", "by hand", "box", "changed:1");
    assert.match(id, /^[0-9a-f]{64}$/);
    const shown = "cat /etc/new; ls /bin/ash; stat -c '%a %F' /srv /srv/fifo; pwd; echo $A";
    const { stdout, stderr } = await cli.run(["run", "--rm", "changed:1", "sh", "-c", shown]);
    assert.equal(stdout, "new\n1777 directory\n644 fifo\n/tmp\n1\n", stderr);
    assert.match(stderr, /\/bin\/ash: No such file/);
    const { Config, Author, Id, RootFS } = await inspect("changed:1");
    assert.equal(Id, id);
    assert.equal(Author, "Ann");
    assert.equal(RootFS.Layers.length, 2);
    assert.deepEqual(Config.Cmd, ["sh", "-c", SCRIPT]);
    assert.deepEqual([Config.User, Config.WorkingDir, Config.Env], ["0:0", "/tmp", ["A=1"]]);
    assert.match(await cli.ok("history", "changed:1"), /by hand/);
  });

  it("changes what its containers do, and writes the id to a file", async () => {
    const file = cli.file("iid");
    const { stdout, stderr, status } = await cli.run([
      ...["commit", "--iidfile", file, "-c", 'CMD ["cat","/etc/new"]', "-c", "ENV B='x y'"],
      ...["--change", "LABEL=k=v", "-c", "WORKDIR sub", "-c", "EXPOSE 80", "box", "changed:2"],
    ]);
    assert.equal(status, 0, stderr);
    assert.equal(readFileSync(file, "utf8"), stdout.trim());
    assert.equal(stderr, "Committed box as changed:2\n");
    assert.equal(await cli.ok("run", "--rm", "changed:2"), "new");
    const { Config } = await inspect("changed:2");
    assert.deepEqual(Config.Env, ["A=1", "B=x y"]);
    assert.equal(Config.WorkingDir, "/tmp/sub");
    assert.deepEqual(Config.Labels, { k: "v" });
  });

  it("puts a commit of a commit on top", async () => {
    await cli.ok("commit", "-q", "box", "twice:1");
    await cli.ok("run", "--name", "again", "twice:1", "sh", "-c", "rm -r /srv; echo 2 > /etc/new");
    await cli.ok("commit", "-q", "again", "twice:2");
    const shown = "cat /etc/new; test -e /srv || echo gone";
    assert.equal(await cli.ok("run", "--rm", "twice:2", "sh", "-c", shown), "2\ngone");
    assert.equal((await inspect("twice:2")).RootFS.Layers.length, 3);
    assert.deepEqual((await cli.ok("diff", "twice:2")).split("\n"), [
      "C /etc",
      "C /etc/new",
      "D /srv",
    ]);
  });

  it("squashes all into one layer that has the same files", async () => {
    await cli.ok("commit", "-q", "--squash", "box", "flat:1");
    await cli.ok("commit", "-q", "box", "steps:1");
    assert.equal((await inspect("flat:1")).RootFS.Layers.length, 1);
    const list = async (image: string) => {
      await cli.ok("create", "--name", "listed", image);
      const listed = gnuList((await cli.run(["export", "listed"])).bytes);
      await cli.ok("rm", "listed");
      return listed;
    };
    assert.deepEqual(await list("flat:1"), await list("steps:1"));
  });

  it("puts what came before a snapshot into a layer of its own", async () => {
    const script =
      "if [ -e /one ]; then rm /gone; echo 2 > /two; else echo 1 > /one; echo > /gone; fi";
    await cli.ok("run", "--name", "frozen", "busybox", "sh", "-c", script);
    await cli.ok("snapshot", "frozen");
    await cli.ok("start", "--attach", "frozen");
    await cli.ok("commit", "-q", "frozen", "frozen:1");
    const shown = "cat /one /two; test -e /gone || echo gone";
    assert.equal(await cli.ok("run", "--rm", "frozen:1", "sh", "-c", shown), "1\n2\ngone");
    assert.equal((await inspect("frozen:1")).RootFS.Layers.length, 3);
    assert.equal(await cli.ok("diff", "frozen"), "A /one\nA /two");
  });

  it("lets a container that runs go on, also when it stood still meanwhile", async () => {
    await cli.ok(
      "run",
      "-d",
      "--stop-timeout",
      "0",
      "--name",
      "busy",
      "busybox",
      "sh",
      "-c",
      "echo 1 > /f; sleep 1000",
    );
    await cli.ok("exec", "busy", "sh", "-c", "until [ -s /f ]; do sleep 0.01; done");
    await cli.ok("commit", "-q", "busy", "busy:1");
    await cli.ok("commit", "-q", "--pause", "busy", "busy:2");
    assert.equal(await cli.ok("inspect", "--format", "{{.State.Status}}", "busy"), "running");
    assert.equal(await cli.ok("exec", "busy", "cat", "/f"), "1");
    assert.equal(await cli.ok("run", "--rm", "busy:2", "cat", "/f"), "1");
    const exported = gnuList((await cli.run(["export", "busy"])).bytes);
    assert.ok(
      exported.some((line) => line.endsWith(" f")),
      "what it wrote is in its archive",
    );
    assert.ok(!exported.some((line) => / proc\/./.test(line)), "what is mounted is not");
    await cli.ok("rm", "-f", "busy");
  });

  it("keeps owners as the container counts them where it has ids of its own", async () => {
    const script = "echo > /mine; echo > /theirs; chown 1000:1000 /theirs";
    await cli.ok("run", "--userns", "auto", "--name", "mapped", "busybox", "sh", "-c", script);
    await cli.ok("commit", "-q", "mapped", "mapped:1");
    const shown = ["stat", "-c", "%u:%g", "/mine", "/theirs"];
    assert.equal(await cli.ok("run", "--rm", "mapped:1", ...shown), "0:0\n1000:1000");
    const lines = gnuList((await cli.run(["export", "mapped"])).bytes);
    assert.match(lines.find((line) => line.endsWith(" theirs")) ?? "", / 1000\/1000 /);
  });

  it("says what is wrong, and leaves nothing", async () => {
    mkdirSync(cli.file("rootfs"));
    writeFileSync(cli.file("rootfs/f"), "");
    await cli.ok("create", "--name", "bare", "--rootfs", cli.file("rootfs"), "true");
    const before = await cli.ok("image", "ls", "-a", "-q");
    for (const [args, message] of [
      [["commit", "nobody"], /no container "nobody"/],
      [["commit", "bare"], /has no image to put changes on/],
      [["commit", "-c", "RUN x", "box"], /there is no instruction "RUN"/],
      [["commit", "box", "Not A Name"], /is not an image name/],
      [["commit", "--compression-format", "lzma", "box"], /lzma/],
      [["commit", "--iidfile", "/nowhere/f", "-q", "box", "x"], /cannot write the --iidfile/],
      [["export", "nobody"], /no container "nobody"/],
      [["export", "-o", "/nowhere/f", "box"], /cannot write to "\/nowhere\/f"/],
      [["diff", "nobody"], /no container or image "nobody"/],
    ] as const) {
      const { status, stderr } = await cli.run(args);
      assert.equal(status, 125, args.join(" "));
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /bug/);
    }
    await cli.ok("image", "rm", "x");
    assert.equal(await cli.ok("image", "ls", "-a", "-q"), before);
  });
});

describe("a name that comes to point to another image", () => {
  it("is what a restart begins from where no changes are kept, and not before", async () => {
    const version = async (word: string) => {
      await cli.ok("run", "--name", "maker", "busybox", "sh", "-c", `echo ${word} > /word`);
      const change = ["-c", `ENV WORD=${word}`, "-c", `LABEL word=${word}`];
      await cli.ok("commit", "-q", ...change, "-c", "CMD sleep 1000", "maker", "app:1");
      await cli.ok("rm", "maker");
    };
    const word = (name: string) => cli.ok("exec", name, "sh", "-c", "echo $WORD $(cat /word)");
    await version("one");
    const options = ["-d", "--stop-timeout", "0", "-l", "own=1"];
    for (const mode of ["shared", "ephemeral", "private"]) {
      await cli.ok("run", ...options, "--root-mode", mode, "--name", mode, "app:1");
    }
    await version("two");
    assert.equal(await word("shared"), "one one");
    await cli.ok("restart", "shared", "ephemeral", "private");
    assert.equal(await word("shared"), "two two");
    assert.equal(await word("ephemeral"), "two two");
    assert.equal(await word("private"), "one one");
    const labels = await cli.ok("inspect", "--format", "{{json .Config.Labels}}", "shared");
    assert.deepEqual(JSON.parse(labels), { own: "1", word: "two" });
    await cli.ok("image", "rollback", "app:1");
    await cli.ok("restart", "shared");
    assert.equal(await word("shared"), "one one");
    await cli.ok("rm", "-f", "shared", "ephemeral", "private");
  });
});

describe("tsrun export", () => {
  it("writes what an import makes the same root of", async () => {
    const file = cli.file("box.tar");
    await cli.ok("export", "-o", file, "box");
    const said = ["-m", "copied", "-c", "CMD cat /etc/new", "--change", "ENV A=1"];
    await cli.ok("import", "-q", ...said, file, "copy:1");
    assert.equal(await cli.ok("run", "--rm", "copy:1"), "new");
    assert.match(await cli.ok("history", "copy:1"), /copied/);
    await cli.ok("create", "--name", "copy", "copy:1", "true");
    const again = (await cli.run(["export", "copy"])).bytes;
    assert.ok(again.equals(readFileSync(file)), "byte by byte");
    const names = gnuList(again).map((line) => line.replace(/^(.).* /, "$1 "));
    assert.ok(names.includes("- etc/new") && names.includes("p srv/fifo"));
    assert.ok(!names.some((name) => name.endsWith(" bin/ash")));
  });

  it("goes on with a container that has a --rootfs", async () => {
    assert.match(gnuList((await cli.run(["export", "bare"])).bytes).join("\n"), / f$/m);
  });
});

describe("tsrun events", () => {
  it("tells what happened to images", async () => {
    await cli.ok("tag", "busybox", "told:1");
    await cli.ok("commit", "-q", "box", "told:1");
    await cli.ok("image", "rollback", "told:1");
    await cli.ok("save", "-o", cli.file("told.tar"), "told:1");
    await cli.ok("image", "rm", "told:1");
    await cli.ok("load", "-q", "-i", cli.file("told.tar"));
    const past = ["events", "--since", "1h", "--stream=false", "--filter", "image=told:1"];
    const told = await cli.ok(...past, "--filter", "type=image", "--format", "{{.Status}}");
    assert.deepEqual(told.split("\n"), ["tag", "commit", "promote", "save", "untag", "load"]);
    const ofBox = ["events", "--since", "1h", "--stream=false", "--filter", "container=box"];
    assert.match(await cli.ok(...ofBox, "--format", "{{.Status}}"), /^commit$/m);
  });
});
