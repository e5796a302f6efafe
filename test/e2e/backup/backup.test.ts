/** Backups, as they are typed: made, restored, refused. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Cli, runProgram } from "../../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
});
after(async () => {
  await cli.run(["rm", "-f", "-a"]);
  await cli.run(["volume", "rm", "-f", "-a"]);
  await cli[Symbol.asyncDispose]();
});

/** Changes of every kind: in the root and in a volume. */
const CHANGE = `
set -e
rm /bin/vi
rm -r /usr && mkdir /usr && echo opaque > /usr/file
mkdir -m 1711 /new
echo one > /new/a; ln /new/a /new/b; ln -s /etc/passwd /new/link; mkfifo /new/fifo
chown -h 7:8 /new/link /new/a; chmod 4755 /new/a
touch -d 2001-02-03 /new/fifo
echo data > /data/file; echo own > /own/file
`;
/** Everything that a restore has to bring back, with owners, modes, links and times. */
const LOOK = `
ls /bin/vi 2>/dev/null
find /usr /new /data /own | sort | while read -r f; do stat -c '%n %F %u:%g %a %h %Y %N' "$f"; done
cat /usr/file /new/b /data/file /own/file
`;

async function makeChanged(name: string, volume: string): Promise<void> {
  const mounts = ["-v", `${volume}:/data`, "-v", "/own"];
  await cli.ok(
    "run",
    "-d",
    "--name",
    name,
    ...mounts,
    "-e",
    "WORD=kept",
    "--stop-timeout",
    "0",
    "busybox",
    "sleep",
    "1000",
  );
  await cli.ok("exec", name, "sh", "-c", CHANGE);
}

const look = (name: string, target = cli) => target.ok("exec", name, "sh", "-c", LOOK);

describe("backup", () => {
  it("brings everything back, beside the container or instead of it", async () => {
    await makeChanged("whole", "whole-data");
    const wanted = await look("whole");
    const file = cli.file("whole.backup");
    assert.match(await cli.ok("backup", "whole", file), /^[0-9a-f]{32}$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(await cli.ok("ps", "--filter", "name=whole", "--format", "{{.State}}"), "running");
    await cli.ok("rm", "-f", "-v", "whole");
    await cli.ok("volume", "rm", "whole-data");
    const id = await cli.ok("backup", "restore", file);
    assert.equal(
      await cli.ok("inspect", "-f", "{{.Id}} {{.State.Status}}", "whole"),
      `${id} created`,
    );
    await cli.ok("start", "whole");
    assert.equal(await look("whole"), wanted);
    assert.equal(await cli.ok("exec", "whole", "sh", "-c", "echo $WORD"), "kept");
    // The overlay's own form came back: nothing of the image shows through the new /usr.
    assert.equal(await cli.ok("exec", "whole", "ls", "/usr"), "file");
  });

  it("refuses a name and a volume that are there, and takes others instead", async () => {
    await makeChanged("twin", "twin-data");
    const file = cli.file("twin.backup");
    await cli.ok("backup", "twin", file);
    const volumes = await cli.ok("volume", "ls", "-q");
    const refused = await cli.run(["backup", "restore", "--name", "other", file]);
    assert.match(refused.stderr, /here already: twin-data[\s\S]*--ignore-volumes/);
    const named = await cli.run(["backup", "restore", "--ignore-volumes", file]);
    assert.match(named.stderr, /the name "twin" belongs to another container/);
    assert.equal(await cli.ok("volume", "ls", "-q"), volumes);
    await cli.ok("exec", "twin", "sh", "-c", "echo newer > /data/file");
    await cli.ok("backup", "restore", "--ignore-volumes", "--name", "other", file);
    await cli.ok("start", "other");
    assert.equal(await cli.ok("exec", "other", "cat", "/data/file", "/own/file"), "newer\nown");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });

  it("brings volumes back with their size, and those that nobody has used yet as such", async () => {
    await cli.ok("volume", "create", "--opt", "size=32m", "sized");
    const mounts = ["-v", "sized:/data", "-v", "unused:/bin"];
    const fill = "head -c 3000000 /dev/urandom > /data/big; chmod 1770 /data; chown 7:8 /data";
    const measure =
      "cd /data; sha256sum *; stat -c '%a %u:%g %n' . *; df -m . | awk 'END{print $2}'";
    const see = (name: string) => cli.ok("exec", name, "sh", "-c", measure);
    const quick = ["--stop-timeout", "0"];
    await cli.ok(
      "run",
      "-d",
      "--name",
      "sizes",
      ...quick,
      ...mounts.slice(0, 2),
      "busybox",
      "sleep",
      "1000",
    );
    await cli.ok("exec", "sizes", "sh", "-c", fill);
    const [full, since] = [cli.file("s0"), cli.file("s1")];
    await cli.ok("backup", "sizes", full); // while it is mounted
    await cli.ok("exec", "sizes", "sh", "-c", "echo more > /data/more; echo x > /data/.hidden");
    const wanted = await see("sizes");
    await cli.ok("stop", "sizes");
    const id = await cli.ok("backup", "--incremental-since", full, "sizes", since); // and while not
    assert.ok(statSync(since).size < 100_000, String(statSync(since).size));
    const another = await cli.run(["backup", "restore", full, since]);
    assert.match(another.stderr, /here already: sized/);
    await cli.ok("rm", "sizes");
    await cli.ok("volume", "rm", "sized");
    await cli.ok("backup", "restore", full, since);
    assert.equal(await cli.ok("volume", "inspect", "-f", "{{.Options.size}}", "sized"), "32m");
    await cli.ok("start", "sizes");
    assert.equal(await see("sizes"), wanted);
    const spill = "dd if=/dev/zero of=/data/fill bs=1M count=64 2>&1; rm /data/fill";
    assert.match(await cli.ok("exec", "sizes", "sh", "-c", spill), /No space left on device/);
    assert.match(id, /^[0-9a-f]{32}$/);
    await cli.ok("rm", "-f", "sizes");
    await cli.ok("volume", "rm", "sized");

    const fresh = ["volume", "create", "--opt", "size=32m"];
    await cli.ok(...fresh, "sized");
    await cli.ok(
      "create",
      "--name",
      "fresh",
      ...quick,
      ...mounts,
      "busybox",
      "/bin/busybox",
      "ls",
      "/data",
    );
    await cli.ok("backup", "fresh", full);
    await cli.ok("rm", "fresh");
    await cli.ok("volume", "rm", "sized", "unused");
    await cli.ok("backup", "restore", full);
    assert.equal(await cli.ok("start", "-a", "fresh"), "");
    await cli.ok("rm", "fresh");
    await cli.ok("volume", "rm", "sized", "unused");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });

  it("goes to another machine with its image, and says so where it cannot", async () => {
    await makeChanged("moving", "moving-data");
    const [bare, full] = [cli.file("bare.backup"), cli.file("full.backup")];
    await cli.ok("backup", "moving", bare);
    await cli.ok("backup", "--with-image", "moving", full);
    await using other = await Cli.open({ image: false });
    const { status, stderr } = await other.run(["backup", "restore", bare]);
    assert.equal(status, 125);
    assert.match(
      stderr,
      /the image "busybox:latest" of the container is not here[\s\S]*--with-image/,
    );
    assert.equal(await other.ok("volume", "ls", "-q"), "");
    await other.ok("backup", "restore", full);
    await other.ok("start", "moving");
    assert.equal(await look("moving", other), await look("moving"));
    assert.match(await other.ok("images"), /busybox/);
    await other.ok("volume", "rm", "-f", "-a");
  });

  it("saves what has changed since another, and restores the chain", async () => {
    await makeChanged("chain", "chain-data");
    await cli.ok(
      "exec",
      "chain",
      "sh",
      "-c",
      "head -c 3000000 /dev/urandom > /data/big; mkdir /data/gone; touch /data/gone/x",
    );
    const [full, first, second] = ["c0", "c1", "c2"].map((name) => cli.file(name)) as [
      string,
      string,
      string,
    ];
    await cli.ok("backup", "chain", full);
    const change1 =
      "echo two >> /new/a; rm -r /data/gone; touch /bin/vi; mv /data/file /data/moved; mkdir /data/file; setfattr 2>/dev/null; echo x > /data/file/y";
    await cli.ok("exec", "chain", "sh", "-c", change1);
    await cli.ok("backup", "--incremental-since", full, "chain", first);
    await cli.ok(
      "exec",
      "chain",
      "sh",
      "-c",
      "rm -r /data/file /usr; mv /data/moved /data/file; mkdir /usr; echo u > /usr/file; rm /bin/vi",
    );
    await cli.ok("backup", "--incremental-since", first, "chain", second);
    const wanted = await look("chain");
    assert.ok(statSync(full).size > 3_000_000);
    assert.ok(statSync(first).size < 100_000, String(statSync(first).size));
    const missing = await cli.run(["backup", "restore", "--ignore-volumes", full, second]);
    assert.match(missing.stderr, /was not made since the one before it/);
    const alone = await cli.run(["backup", "restore", "--ignore-volumes", first]);
    assert.match(alone.stderr, /has only what changed since the backup/);
    const sum = await cli.ok("exec", "chain", "sha256sum", "/data/big");
    await cli.ok("rm", "-f", "-v", "chain");
    await cli.ok("volume", "rm", "chain-data");
    await cli.ok("backup", "restore", full, first, second);
    await cli.ok("start", "chain");
    assert.equal(await look("chain"), wanted);
    assert.equal(await cli.ok("exec", "chain", "sha256sum", "/data/big"), sum);
    const other = await cli.run(["backup", "--incremental-since", full, "chain", cli.file("c3")]);
    assert.match(other.stderr, /is of another container/);
    const own = await cli.run(["backup", "--incremental-since", full, "chain", full]);
    assert.match(own.stderr, /would replace what it builds on/);
  });

  it("has the snapshots, and stands on its own where a clone stood on another's layers", async () => {
    const write = (name: string, word: string) =>
      cli.ok("exec", name, "sh", "-c", `echo ${word} > /word`);
    await cli.ok("run", "-d", "--name", "base", "--stop-timeout", "0", "busybox", "sleep", "1000");
    await write("base", "first");
    await cli.ok("snapshot", "base", "one");
    await write("base", "second");
    await cli.ok("snapshot", "base", "two");
    await write("base", "third");
    await cli.ok("clone", "base", "branch", "--snapshot", "one");
    const [base, branch, since] = ["base", "branch", "since"].map((name) => cli.file(name)) as [
      string,
      string,
      string,
    ];
    const id = await cli.ok("backup", "base", base);
    await cli.ok("backup", "branch", branch);
    await write("base", "fourth");
    await cli.ok("backup", "--incremental-since", id, "base", since);
    await cli.ok("rm", "-f", "base", "branch");
    await cli.ok("backup", "restore", base, since);
    await cli.ok("backup", "restore", branch);
    await cli.ok("start", "base", "branch");
    assert.equal(await cli.ok("exec", "base", "cat", "/word"), "fourth");
    assert.equal(await cli.ok("exec", "branch", "cat", "/word"), "first");
    await cli.ok("stop", "base");
    await cli.ok("restore", "base", "two");
    await cli.ok("start", "base");
    assert.equal(await cli.ok("exec", "base", "cat", "/word"), "second");
    const unknown = await cli.run(["backup", "--incremental-since", id, "base", since]);
    assert.match(unknown.stderr, /is not the last of "base"/);
  });

  it("of a container that ends in between, or was never started, is complete", async () => {
    await cli.ok("create", "--name", "unstarted", "busybox", "echo", "started");
    const file = cli.file("unstarted.backup");
    await cli.ok("backup", "unstarted", file);
    await cli.ok("backup", "restore", "--name", "again", file);
    assert.equal(await cli.ok("start", "-a", "again"), "started");
  });

  it("leaves the old file and nothing else when the disk is full or the place is none", async () => {
    await cli.ok(
      "create",
      "--name",
      "spilling",
      "-v",
      "spill:/data",
      "busybox",
      "sh",
      "-c",
      "head -c 3000000 /dev/urandom > /data/big",
    );
    await cli.ok("start", "-a", "spilling");
    const small = cli.file("small");
    mkdirSync(small);
    const script = `
mount -t tmpfs -o size=1m tmpfs ${small}
echo old > ${small}/file
tsrun backup spilling ${small}/file; echo "status $?"
cat ${small}/file; ls -A ${small}
`;
    const { stdout, stderr } = await runProgram(
      "unshare",
      [
        "-m",
        "--propagation",
        "private",
        "bash",
        "-c",
        `tsrun() { "${process.cwd()}/bin/tsrun" "$@"; }\n${script}`,
      ],
      { env: cli.env },
    );
    assert.match(stdout, /status 125\nold\nfile\n/, stderr);
    assert.match(stderr, /the disk is full/);
    const nowhere = await cli.run(["backup", "spilling", cli.file("no/where")]);
    assert.equal(nowhere.status, 125);
    assert.match(nowhere.stderr, /cannot write/);
  });
});

describe("rm --backup", () => {
  it("stops, saves and removes", async () => {
    await makeChanged("leaving", "leaving-data");
    const wanted = await look("leaving");
    const file = cli.file("leaving.backup");
    assert.equal(await cli.ok("rm", "--backup", file, "-v", "leaving"), "leaving");
    assert.equal(await cli.ok("ps", "-aq", "--filter", "name=leaving"), "");
    await cli.ok("backup", "restore", "--ignore-volumes", file);
    await cli.ok("start", "leaving");
    assert.equal(await look("leaving"), wanted);
  });

  it("removes nothing if it cannot save", async () => {
    await makeChanged("staying", "staying-data");
    const { status, stderr } = await cli.run(["rm", "--backup", cli.file("no/where"), "staying"]);
    assert.equal(status, 125, stderr);
    assert.equal(await cli.ok("inspect", "-f", "{{.State.Status}}", "staying"), "exited");
    await cli.ok("start", "staying");
    assert.match(await look("staying"), /opaque/);
  });
});

describe("a backup that is not what was saved", () => {
  let archive: Buffer;
  before(async () => {
    await cli.ok("create", "--name", "victim", "-v", "victim-data:/data", "busybox", "true");
    await cli.ok("backup", "victim", cli.file("victim.backup"));
    archive = zstdDecompressSync(readFileSync(cli.file("victim.backup")));
  });

  /** Refused, and nothing of it is left: no container, no volume, nothing unpacked. */
  async function refused(bytes: Uint8Array, reason: RegExp): Promise<void> {
    const file = cli.file("spoilt.backup");
    writeFileSync(file, bytes);
    const before = await state();
    const { status, stderr } = await cli.run([
      "backup",
      "restore",
      "--name",
      "evil",
      "--ignore-volumes",
      file,
    ]);
    assert.equal(status, 125, stderr);
    assert.match(stderr, reason);
    assert.deepEqual(await state(), before);
  }

  async function state(): Promise<readonly string[]> {
    const root = join(cli.base, "root");
    return ["restoring", "containers", "volumes", "names"].flatMap((name) =>
      existsSync(join(root, name)) ? readdirSync(join(root, name)) : [],
    );
  }

  /** The tar archive with these bytes of its contents exchanged for as many others. */
  function exchanged(from: string, to: string): Buffer {
    assert.equal(from.length, to.length);
    const at = archive.indexOf(from);
    assert.ok(at > 0, from);
    const copy = Buffer.from(archive);
    copy.write(to, at, "latin1");
    return zstdCompressSync(copy);
  }

  it("is cut short anywhere", async () => {
    const whole = readFileSync(cli.file("victim.backup"));
    for (const part of [0.2, 0.6, 0.95]) {
      await refused(whole.subarray(0, Math.floor(whole.length * part)), /the backup "/);
    }
  });

  it("has a changed byte", async () => {
    await refused(exchanged('"version":1', '"version":2'), /newer tsrun/);
    await refused(
      exchanged('"removed":[]', '"removed":{}'),
      /does not describe|not what was saved/,
    );
    await refused(exchanged('"createdAt"', '"createdat"'), /changed manifest/);
    const flipped = Buffer.from(readFileSync(cli.file("victim.backup")));
    flipped[flipped.length >> 1] = (flipped[flipped.length >> 1] ?? 0) ^ 0x55;
    await refused(flipped, /the backup "/);
  });

  it("is no backup at all", async () => {
    await refused(Buffer.from("text"), /not a tar archive/);
    const tar = await runProgram("tar", ["c", "-C", cli.file("."), "victim.backup"]);
    await refused(tar.bytes, /no backup has|no backup of tsrun's/);
  });

  it("was made to lead out of its place", async () => {
    const target = cli.file("target");
    mkdirSync(target, { recursive: true });
    const script = `
import hashlib, io, json, sys, tarfile
source, out, target = sys.argv[1:]
old = tarfile.open(source)
members = {m.name: old.extractfile(m).read() for m in old if m.isfile()}
evil = io.BytesIO()
tree = tarfile.open(fileobj=evil, mode="w", format=tarfile.PAX_FORMAT)
def add(name, kind=tarfile.REGTYPE, link="", data=b""):
    info = tarfile.TarInfo(name); info.type = kind; info.linkname = link; info.size = len(data)
    tree.addfile(info, io.BytesIO(data))
add("door", tarfile.SYMTYPE, target)
add("door/planted", data=b"planted")
add("ok", data=b"fine")
tree.close()
members["trees/0/000000"] = evil.getvalue()
digest = lambda data: hashlib.sha256(data).hexdigest()
manifest = json.loads(members["manifest/000000"])
manifest["digests"]["trees/0/000000"] = digest(members["trees/0/000000"])
members["manifest/000000"] = json.dumps(manifest).encode()
members["manifest.sha256/000000"] = digest(members["manifest/000000"]).encode()
tar = tarfile.open(out, "w")
for name, data in members.items():
    info = tarfile.TarInfo(name); info.size = len(data); tar.addfile(info, io.BytesIO(data))
tar.close()
`;
    const plain = cli.file("plain.tar");
    writeFileSync(plain, archive);
    const out = cli.file("leading-out.backup");
    const made = await runProgram("python3", ["-c", script, plain, out, target]);
    assert.equal(made.status, 0, made.stderr);
    await cli.run(["backup", "restore", "--name", "contained", "--ignore-volumes", out]);
    assert.deepEqual(readdirSync(target), []);
    assert.match(await cli.ok("backup", "inspect", "-f", "{{.Name}}", out), /victim/);
  });
});
