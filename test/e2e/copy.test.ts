/** `tsrun cp` and `tsrun diff` as typed. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Cli } from "../support/cli.ts";

let cli: Cli;
before(async () => {
  cli = await Cli.open();
  await cli.ok("run", "-d", "--name", "box", "busybox", "sleep", "600");
  mkdirSync(cli.file("tree/sub"), { recursive: true });
  writeFileSync(cli.file("tree/one"), "1", { mode: 0o640 });
  writeFileSync(cli.file("tree/sub/two"), "2");
  symlinkSync("one", cli.file("tree/link"));
});
after(() => cli[Symbol.asyncDispose]());

const cat = (path: string) => cli.ok("exec", "box", "cat", path);

describe("cp", () => {
  it("copies a file in and out, also under another name", async () => {
    await cli.ok("cp", cli.file("tree/one"), "box:/tmp");
    assert.equal(await cat("/tmp/one"), "1");
    await cli.ok("cp", cli.file("tree/one"), "box:/tmp/other");
    assert.equal(await cat("/tmp/other"), "1");
    await cli.ok("cp", "box:/tmp/one", cli.file("out"));
    assert.equal(readFileSync(cli.file("out"), "utf8"), "1");
    assert.equal(statSync(cli.file("out")).mode & 0o777, 0o640);
  });

  it("copies a directory under its own name, or its contents alone", async () => {
    await cli.ok("cp", cli.file("tree"), "box:/tmp");
    assert.equal(await cat("/tmp/tree/sub/two"), "2");
    assert.equal(await cli.ok("exec", "box", "readlink", "/tmp/tree/link"), "one");
    await cli.ok("cp", `${cli.file("tree")}/.`, "box:/contents");
    assert.equal(await cat("/contents/one"), "1");
    mkdirSync(cli.file("into"));
    await cli.ok("cp", "box:/tmp/tree", cli.file("into"));
    assert.equal(readFileSync(cli.file("into/tree/sub/two"), "utf8"), "2");
  });

  it("puts a directory in a file's place only with --overwrite", async () => {
    await cli.ok("exec", "box", "sh", "-c", "echo file > /tmp/taken");
    const refused = await cli.run(["cp", cli.file("tree"), "box:/tmp/taken"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /cannot copy a directory onto the file "\/tmp\/taken"/);
    assert.equal(await cat("/tmp/taken"), "file");
    await cli.ok("cp", "--overwrite", cli.file("tree"), "box:/tmp/taken");
    assert.equal(await cat("/tmp/taken/sub/two"), "2");
  });

  it("reads and writes tar streams, every byte of them", async () => {
    const listed = await cli.shell("set -o pipefail; tsrun cp box:/tmp/tree - | tar t | sort");
    assert.deepEqual([listed.status, listed.stderr], [0, ""]);
    assert.deepEqual(
      listed.stdout.split("\n").map((line) => line.replace(/\/$/, "")),
      ["tree", "tree/link", "tree/one", "tree/sub", "tree/sub/two", ""],
    );
    const bytes = Buffer.alloc(3_000_000, "\0\u00ff\n");
    writeFileSync(cli.file("big"), bytes);
    const script = `tar c -C ${cli.base}/files big | tsrun cp - box:/tmp && tsrun cp box:/tmp/big - | tar xO`;
    const through = await cli.shell(`set -o pipefail; ${script}`);
    assert.deepEqual([through.status, through.stderr], [0, ""]);
    assert.ok(through.bytes.equals(bytes));
  });

  it("works with a container that does not run", async () => {
    await cli.ok("create", "--name", "idle", "busybox", "cat", "/given");
    await cli.ok("cp", cli.file("tree/one"), "idle:/given");
    assert.equal(await cli.ok("start", "-a", "idle"), "1");
    await cli.ok("cp", "idle:/given", cli.file("back"));
    assert.equal(readFileSync(cli.file("back"), "utf8"), "1");
    await cli.ok("rm", "idle");
  });

  it("does not follow a link out of the container", async () => {
    writeFileSync(cli.file("secret"), "host");
    await cli.ok("exec", "box", "ln", "-s", cli.file("secret"), "/escape");
    const { status, stderr } = await cli.run(["cp", "box:/escape", cli.file("stolen")]);
    assert.equal(status, 125);
    assert.match(stderr, /^Error: there is no "\/escape"/);
  });

  for (const [source, target, message] of [
    ["a", "b", 'neither "a" nor "b" is in a container'],
    ["box:/a", "box:/b", "cannot copy from one container to another"],
    ["nobody:/a", ".", 'there is no container "nobody"'],
    ["box:/no/such", ".", 'there is no "/no/such" to copy'],
    ["/no/such", "box:/tmp", 'there is no "/no/such" to copy'],
    ["/etc/hostname", "box:/no/such/dir/x", 'there is no directory "/no/such/dir"'],
  ] as const) {
    it(`refuses cp ${source} ${target}`, async () => {
      const { status, stderr } = await cli.run(["cp", source, target]);
      assert.equal(status, 125);
      assert.equal(stderr.split("\n")[0], `Error: ${message}`);
    });
  }
});

describe("a name that is no UTF-8", () => {
  it("is copied in and out, and told by diff, as it is", async () => {
    const name = Buffer.from([0x61, 0xff, 0xfe, 0x62]);
    const place = (directory: string) => Buffer.concat([Buffer.from(`${directory}/`), name]);
    mkdirSync(cli.file("odd"));
    writeFileSync(place(cli.file("odd")), "odd");
    await cli.ok("create", "--name", "odd", "busybox", "true");
    await cli.ok("cp", cli.file("odd"), "odd:/odd");
    const { bytes } = await cli.run(["diff", "odd"]);
    assert.equal(bytes.toString("latin1"), "A /odd\nA /odd/a\xff\xfeb\n");
    const template = await cli.run(["diff", "--format", "{{.Path}} – {{.Kind}}", "odd"]);
    assert.ok(template.bytes.includes(Buffer.concat([name, Buffer.from(" – A\n")])));
    await cli.ok("cp", "odd:/odd", cli.file("odd-back"));
    assert.equal(readFileSync(place(cli.file("odd-back")), "utf8"), "odd");
    await cli.ok("rm", "odd");
  });
});

describe("diff", () => {
  it("tells what was added, changed and deleted", async () => {
    const script = "echo x > /new; rm /etc/passwd; echo y >> /etc/group";
    await cli.ok("run", "--name", "changed", "busybox", "sh", "-c", script);
    const lines = (await cli.ok("diff", "changed")).split("\n");
    for (const line of ["A /new", "D /etc/passwd", "C /etc/group", "C /etc"]) {
      assert.ok(lines.includes(line), `${line} in ${lines.join(", ")}`);
    }
    const json = JSON.parse(await cli.ok("diff", "--format", "json", "changed"));
    assert.deepEqual(json.deleted, ["/etc/passwd"]);
    assert.ok(json.added.includes("/new"));
    await cli.ok("rm", "changed");
  });
});
