/** Named volumes, as they are typed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli, runProgram } from "../../support/cli.ts";
import { busyboxRoot } from "../../support/roots.ts";

let cli: Cli;

/** An image with something in /data, owned by 33:44, and with links that lead out of it. */
before(async () => {
  cli = await Cli.open();
  const tree = cli.file("tree");
  spawnSync("cp", ["-a", await busyboxRoot(), tree]);
  mkdirSync(join(tree, "data/sub"), { recursive: true });
  writeFileSync(join(tree, "data/sub/word"), "from the image");
  symlinkSync("/etc/passwd", join(tree, "data/out"));
  symlinkSync("/data/sub", join(tree, "linked"));
  symlinkSync("../../../../../../../../etc", join(tree, "escape"));
  mkdirSync(join(tree, "declared"));
  writeFileSync(join(tree, "declared/file"), "declared");
  for (const path of ["data", "data/sub", "data/sub/word"]) chownSync(join(tree, path), 33, 44);
  chmodSync(join(tree, "data"), 0o2770);
  await cli.ok("image", "import", "-q", "--cmd", "sh", tree, "full");
});
after(async () => {
  await cli.run(["rm", "-f", "-a"]);
  await cli.run(["volume", "rm", "-f", "-a"]);
  await cli[Symbol.asyncDispose]();
});

const run = (...args: readonly string[]) => cli.ok("run", "--rm", ...args);
const mountpoint = (name: string) => cli.ok("volume", "inspect", "-f", "{{.Mountpoint}}", name);
const names = async () => (await cli.ok("volume", "ls", "-q")).split("\n").filter(Boolean);

describe("a named volume", () => {
  it("is made by the first container, keeps what is written, and is removed on request alone", async () => {
    await run("-v", "kept:/d", "busybox", "sh", "-c", "echo one > /d/file");
    assert.equal(await run("-v", "kept:/other", "busybox", "cat", "/other/file"), "one");
    assert.ok((await names()).includes("kept"));
    assert.equal(await cli.ok("volume", "rm", "kept"), "kept");
    assert.equal((await cli.run(["volume", "exists", "kept"])).status, 1);
  });

  it("begins with what the image has there, owners and modes too, and only the first time", async () => {
    const listing = await run(
      "-v",
      "filled:/data",
      "full",
      "stat",
      "-c",
      "%u %g %a %n",
      "/data",
      "/data/sub/word",
    );
    assert.deepEqual(listing.split("\n"), ["33 44 2770 /data", "33 44 644 /data/sub/word"]);
    await run("-v", "filled:/data", "full", "rm", "/data/sub/word");
    assert.equal(await run("-v", "filled:/data", "full", "ls", "/data/sub"), "");
  });

  it("takes the directory's owner but nothing of what is in it with nocopy", async () => {
    const command = ["full", "sh", "-c", "stat -c %u:%g /data; ls -A /data"];
    assert.equal(await run("-v", "bare:/data:nocopy", ...command), "33:44");
    assert.equal(await run("-v", "bare:/data", "full", "cat", "/data/sub/word"), "from the image");
  });

  it("keeps what it has when the image has something, too", async () => {
    await run("-v", "mine:/empty", "full", "touch", "/empty/own");
    assert.equal(await run("-v", "mine:/data", "full", "ls", "-A", "/data"), "own");
  });

  it("is not led out of the image by the image's links", async () => {
    await run("-v", "links:/data", "full", "true");
    assert.equal(readlinkSync(join(await mountpoint("links"), "out")), "/etc/passwd");
    assert.equal(
      await run("-v", "through:/linked", "full", "cat", "/linked/word"),
      "from the image",
    );
    await run("-v", "escaped:/escape", "full", "true");
    const copied = readdirSync(await mountpoint("escaped"));
    // The image's /etc, and not the host's.
    assert.ok(copied.includes("nsswitch.conf"), copied.join(" "));
    assert.ok(!copied.includes("debian_version"), copied.join(" "));
  });

  it("can be read-only, and given to the container's user", async () => {
    const refused = await cli.run(["run", "--rm", "-v", "ro:/d:ro", "busybox", "touch", "/d/x"]);
    assert.match(refused.stderr, /Read-only file system/);
    await run("-v", "given:/data", "full", "true");
    const given = await run(
      "-u",
      "7:8",
      "-v",
      "given:/data:U",
      "full",
      "stat",
      "-c",
      "%u:%g",
      "/data",
      "/data/sub/word",
    );
    assert.equal(given, "7:8\n7:8");
  });

  it("has the same owners in containers with ids of their own", async () => {
    await run("--userns", "auto", "-v", "ids:/data", "full", "touch", "/data/root");
    assert.equal(await run("-v", "ids:/data", "full", "stat", "-c", "%u", "/data/root"), "0");
    assert.equal(lstatSync(join(await mountpoint("ids"), "sub/word")).uid, 33);
  });

  it("is kept from rm as long as a container uses it, which the error names", async () => {
    await cli.ok("create", "--name", "user1", "-v", "used:/d", "busybox", "true");
    await cli.ok("run", "-d", "--name", "user2", "-v", "used:/d", "busybox", "sleep", "1000");
    const refused = await cli.run(["volume", "rm", "used"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /the volume "used" is used by the containers user1, user2/);
    assert.match(await cli.ok("volume", "prune", "-f"), /^(?!.*\bused\b)/s);
    assert.equal(await cli.ok("volume", "rm", "-f", "used"), "used");
    assert.equal(await cli.ok("ps", "-aq", "--filter", "name=user"), "");
  });
});

describe("a volume without a name", () => {
  const own = async (container: string) =>
    JSON.parse(await cli.ok("inspect", "-f", "{{json .Mounts}}", container))[0].Name as string;

  it("stays when its container is removed, and goes with rm -v and --rm", async () => {
    await cli.ok("create", "--name", "a", "-v", "/d", "full");
    const kept = await own("a");
    assert.match(kept, /^[0-9a-f]{64}$/);
    await cli.ok("rm", "a");
    assert.ok((await names()).includes(kept));
    await cli.ok("volume", "rm", kept.slice(0, 12));
    await cli.ok("create", "--name", "b", "-v", "/d", "-v", "named:/e", "full");
    const gone = await own("b");
    await cli.ok("rm", "-v", "b");
    assert.ok(!(await names()).includes(gone));
    assert.ok((await names()).includes("named"));
    const before = await names();
    await run("-v", "/d", "busybox", "touch", "/d/x");
    assert.deepEqual(await names(), before);
  });

  it("stands for each that the image declares", async () => {
    const dir = cli.file("declaring");
    await cli.ok("save", "--format", "oci-dir", "-o", dir, "full");
    const declaring = await declareVolume(dir, "/declared");
    await cli.ok("load", "-q", "-i", declaring);
    await cli.ok("create", "--name", "d", "full", "cat", "/declared/file");
    assert.equal(await cli.ok("start", "-a", "d"), "declared");
    assert.match(await own("d"), /^[0-9a-f]{64}$/);
    await cli.ok("rm", "-v", "d");
    const mounted = ["full", "sh", "-c", "grep -c ' /declared ' /proc/mounts"];
    assert.equal(await run("--image-volume", "tmpfs", ...mounted), "1");
    assert.equal(
      (await cli.run(["run", "--rm", "--image-volume", "ignore", ...mounted])).stdout,
      "0\n",
    );
    await run("-v", "instead:/declared", "full", "true");
    assert.ok((await names()).includes("instead"));
  });
});

/** The layout with a configuration that declares a volume; its blobs are found by their digests. */
async function declareVolume(dir: string, path: string): Promise<string> {
  const script = `
import hashlib, json, sys
root, path = sys.argv[1:]
blob = lambda digest: root + "/blobs/sha256/" + digest.split(":")[1]
def put(value, old):
    data = json.dumps(value).encode()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    open(blob(digest), "wb").write(data)
    return {**old, "digest": digest, "size": len(data)}
index = json.load(open(root + "/index.json"))
manifest = json.load(open(blob(index["manifests"][0]["digest"])))
config = json.load(open(blob(manifest["config"]["digest"])))
config.setdefault("config", {})["Volumes"] = {path: {}}
manifest["config"] = put(config, manifest["config"])
index["manifests"][0] = put(manifest, index["manifests"][0])
json.dump(index, open(root + "/index.json", "w"))
`;
  const { status, stderr } = await runProgram("python3", ["-c", script, dir, path]);
  assert.equal(status, 0, stderr);
  return dir;
}

describe("volume create", () => {
  it("answers the name, keeps labels and options, and minds one that is there", async () => {
    const args = ["--label", "a=b", "--label", "c", "--opt", "o=uid=5"];
    assert.equal(await cli.ok("volume", "create", ...args, "labelled"), "labelled");
    const view = JSON.parse(await cli.ok("volume", "inspect", "labelled"))[0];
    assert.deepEqual(view.Labels, { a: "b", c: "" });
    assert.deepEqual(view.Options, { o: "uid=5" });
    assert.equal(lstatSync(view.Mountpoint).uid, 5);
    assert.equal(await cli.ok("volume", "ls", "-q", "--filter", "label=a=b"), "labelled");
    assert.equal(await cli.ok("volume", "ls", "-q", "--filter", "label=a=x"), "");
    const again = await cli.run(["volume", "create", "labelled"]);
    assert.match(again.stderr, /there is a volume "labelled" already/);
    assert.equal(await cli.ok("volume", "create", "--ignore", "labelled"), "labelled");
    assert.match(await cli.ok("volume", "create"), /^[0-9a-f]{64}$/);
  });

  it("refuses what means nothing, and leaves nothing of it", async () => {
    const before = await names();
    for (const args of [["../x"], ["--opt", "type=ext4", "v"], ["--opt", "frob=1", "v"]]) {
      const { status, stderr } = await cli.run(["volume", "create", ...args]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, /Hint: /);
    }
    assert.deepEqual(await names(), before);
  });

  it("mounts a tmpfs for those who use it at the same time, and unmounts it after the last", async () => {
    await cli.ok(
      "volume",
      "create",
      "--opt",
      "type=tmpfs",
      "--opt",
      "o=size=1m,mode=1777",
      "memory",
    );
    const mounted = () =>
      readFileSync("/proc/mounts", "utf8").includes(`${cli.base}/root/volumes/memory`);
    await cli.ok("run", "-d", "--name", "holder", "-v", "memory:/data", "full", "sleep", "1000");
    assert.equal(
      await run("-v", "memory:/data", "full", "cat", "/data/sub/word"),
      "from the image",
    );
    await run("-v", "memory:/data", "full", "sh", "-c", "echo shared > /data/sub/word");
    assert.equal(await cli.ok("exec", "holder", "cat", "/data/sub/word"), "shared");
    const full = await cli.run([
      "exec",
      "holder",
      "dd",
      "if=/dev/zero",
      "of=/data/big",
      "bs=1M",
      "count=2",
    ]);
    assert.match(full.stderr, /No space left/);
    assert.ok(mounted());
    await cli.ok("rm", "-f", "holder");
    assert.ok(!mounted());
    assert.equal(
      await run("-v", "memory:/data", "full", "cat", "/data/sub/word"),
      "from the image",
    );
    assert.ok(!mounted());
  });

  it("holds no more than its size, is filled, kept and exported", async () => {
    await cli.ok("volume", "create", "--opt", "size=8m", "sized");
    const listed = "ls -A /data; cat /data/sub/word; dd if=/dev/zero of=/data/big bs=1M count=9";
    const { stdout, stderr } = await cli.run([
      "run",
      "--rm",
      "-v",
      "sized:/data",
      "full",
      "sh",
      "-c",
      listed,
    ]);
    assert.equal(stdout, "out\nsub\nfrom the image");
    assert.match(stderr, /No space left/);
    assert.ok(!readFileSync("/proc/mounts", "utf8").includes(`${cli.base}/root/volumes/sized`));
    await run("-v", "sized:/data", "full", "sh", "-c", "rm /data/big; echo kept > /data/file");
    assert.equal(await run("-v", "sized:/data", "full", "cat", "/data/file"), "kept");
    const exported = await cli.shell(
      "tsrun volume export sized | tar xO ./file 2>/dev/null || tsrun volume export sized | tar xO file",
    );
    assert.equal(exported.stdout, "kept\n");
    await cli.ok("volume", "rm", "sized");
  });

  it("gives a directory of the host a name, and never removes it", async () => {
    const dir = cli.file("host-directory");
    mkdirSync(dir);
    await cli.ok(
      "volume",
      "create",
      "--opt",
      "type=none",
      "--opt",
      "o=bind",
      "--opt",
      `device=${dir}`,
      "bound",
    );
    await run("-v", "bound:/data", "full", "touch", "/data/x");
    assert.deepEqual(readdirSync(dir), ["x"]);
    assert.equal(await mountpoint("bound"), dir);
    await cli.ok("volume", "rm", "bound");
    assert.ok(existsSync(join(dir, "x")));
  });

  it("says in mount's own words why a device cannot be mounted, and starts nothing", async () => {
    await cli.ok("volume", "create", "--opt", "type=ext4", "--opt", "device=/dev/null", "broken");
    const { status, stderr } = await cli.run(["run", "--rm", "-v", "broken:/d", "busybox", "true"]);
    assert.equal(status, 125);
    assert.match(stderr, /cannot mount the volume's ext4: .*\/dev\/null/);
  });
});

describe("volume export and import", () => {
  it("carry everything to another volume", async () => {
    await run(
      "-v",
      "source:/data",
      "full",
      "sh",
      "-c",
      "mkfifo /data/fifo; ln /data/sub/word /data/hard",
    );
    await cli.ok("volume", "create", "copy");
    const { status, stderr } = await cli.shell(
      "tsrun volume export source | gzip | tsrun volume import copy -",
    );
    assert.equal(status, 0, stderr);
    const list = ["sh", "-c", "cd /x && find . | sort | xargs stat -c '%n %F %u %g %a %h'"];
    assert.equal(
      await run("-v", "copy:/x", "full", ...list),
      await run("-v", "source:/x", "full", ...list),
    );
    const file = cli.file("source.tar");
    await cli.ok("volume", "export", "-o", file, "source");
    const listed = await runProgram("tar", ["tf", file]);
    assert.deepEqual(
      listed.stdout.trim().split("\n").sort(),
      ["./", "fifo", "hard", "out", "sub/", "sub/word"].sort(),
    );
  });

  it("contain an archive that would lead out", async () => {
    await cli.ok("volume", "create", "attacked");
    const victim = cli.file("victim");
    mkdirSync(victim);
    const make = `
import io, sys, tarfile
victim, out = sys.argv[1:]
tar = tarfile.open(out, "w")
def add(name, kind=tarfile.REGTYPE, link="", data=b""):
    info = tarfile.TarInfo(name); info.type = kind; info.linkname = link; info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
add("door", tarfile.SYMTYPE, victim)
add("door/planted", data=b"planted")
add("/abs" + victim + "/absolute", data=b"x")
tar.close()
`;
    const archive = cli.file("hostile.tar");
    assert.equal((await runProgram("python3", ["-c", make, victim, archive])).status, 0);
    await cli.run(["volume", "import", "attacked", archive]);
    assert.deepEqual(readdirSync(victim), []);
    writeFileSync(archive, "no archive");
    const { stderr } = await cli.run(["volume", "import", "attacked", archive]);
    assert.match(stderr, /is not a tar archive/);
    assert.match(
      (await cli.run(["volume", "import", "attacked", cli.file("none")])).stderr,
      /there is no archive/,
    );
  });
});

describe("the rest of tsrun", () => {
  it("counts volumes, tells of them, and asks before it removes them", async () => {
    await cli.ok("volume", "create", "counted");
    assert.match(await cli.ok("system", "df"), /^Local Volumes\s+[1-9]/m);
    assert.match(await cli.ok("system", "df", "-v"), /^counted\s+0\s/m);
    const events = await cli.ok(
      "events",
      "--stream=false",
      "--since",
      "1h",
      "--filter",
      "volume=counted",
    );
    assert.deepEqual(JSON.parse(events).status, "create");
    const asked = await cli.run(["volume", "prune"]);
    assert.match(asked.stderr, /counted[\s\S]*--force/);
    assert.match(await cli.ok("volume", "prune", "-f", "--filter", "name=counted"), /^counted$/);
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });

  it("finds and removes half of a volume", async () => {
    mkdirSync(join(cli.base, "root/volumes/.new-0123456789abcdef/_data"), { recursive: true });
    const found = await cli.run(["system", "check"]);
    assert.match(found.stdout, /half of a volume/);
    await cli.ok("system", "check", "--repair");
    assert.equal(await cli.ok("system", "check"), "Nothing is left behind.");
  });
});
