/** The image commands as a user without privileges types them, in a store of his own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import tar from "tar-stream";
import { setXattr } from "../../../src/ffi/index.ts";
import { Cli, type CliResult, TSRUN } from "../../support/cli.ts";
import {
  DockerRegistry,
  dockerRegistryUnavailable,
  PASSWORD,
  USER,
} from "../../support/docker-registry.ts";
import { FakeRegistry, type Member, tarOf } from "../../support/fake-registry.ts";
import { gnuTar, gnuTarCommand, xattrLines } from "../../support/gnu-tar.ts";
import { OtherUser, otherUserUnavailable } from "../../support/other-user.ts";

const unavailable = otherUserUnavailable();
const PLAIN = "--tls-verify=false";

/** Everything that a layer can have, apart from devices. */
function makeTree(directory: string): void {
  const at = (name: string) => join(directory, name);
  const put = (name: string, mode: number, [uid, gid]: readonly [number, number]) => {
    writeFileSync(at(name), `${name}\n`);
    chownSync(at(name), uid, gid);
    chmodSync(at(name), mode);
  };
  mkdirSync(at("dir"));
  mkdirSync(at("sticky"));
  mkdirSync(at("hidden"));
  put("root", 0o644, [0, 0]);
  put("dir/mail", 0o640, [8, 12]);
  put("dir/set-user-id", 0o4755, [0, 5]);
  put("dir/last", 0o600, [65_535, 65_535]);
  put("hidden/below", 0o600, [1, 1]);
  put("capable", 0o755, [0, 0]);
  put("attributes", 0o600, [33, 33]);
  linkSync(at("dir/mail"), at("linked"));
  symlinkSync("../dir/mail", at("dir/symlink"));
  writeFileSync(at("sparse"), "");
  truncateSync(at("sparse"), 5_000_000);
  spawnSync("mkfifo", [at("fifo")]);
  chownSync(at("sticky"), 1, 2);
  chmodSync(at("sticky"), 0o3777);
  setXattr({ path: at("attributes"), follow: false }, "user.note", Buffer.from("kept"));
  // CAP_NET_RAW, effective: struct vfs_cap_data of capability.h, revision 2.
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  setXattr({ path: at("capable"), follow: false }, "security.capability", capability);
  // posix_acl_xattr.h: the owner and user 7 may write, group and others read.
  const entries = ["01000600ffffffff", "0200060007000000", "04000400ffffffff", "10000600ffffffff"];
  const acl = Buffer.from(["02000000", ...entries, "20000400ffffffff"].join(""), "hex");
  setXattr({ path: at("attributes"), follow: false }, "system.posix_acl_access", acl);
  for (const name of ["root", "dir/mail", "dir", "hidden", "sticky"]) {
    utimesSync(at(name), 1_600_000_000.123, 1_600_000_000.123);
  }
}

/** On top of it: what is gone, and what hides. */
const UPPER: readonly Member[] = [
  { name: ".wh.root" },
  { name: "hidden", type: "directory", mode: 0o750, uid: 3, gid: 4 },
  { name: "hidden/.wh..wh..opq" },
  { name: "hidden/instead", body: "new", uid: 9, gid: 9 },
  { name: "dir/added", body: "in a directory of the layer below" },
];

describe("a user without privileges", { skip: unavailable ?? false }, () => {
  let carol: OtherUser;
  let root: Cli;
  let registry: FakeRegistry;
  let image: string;

  before(async () => {
    carol = new OtherUser();
    root = await Cli.open({ image: false });
    registry = await FakeRegistry.open();
    const tree = mkdtempSync(join(tmpdir(), "tsrun-tree-"));
    makeTree(tree);
    chmodSync(tree, 0o755);
    await registry.publish("team/app:latest", [gnuTar(tree), UPPER]);
    rmSync(tree, { recursive: true });
    image = `${registry.host}/team/app:latest`;
    await carol.ok("pull", "-q", PLAIN, image);
    await root.ok("pull", "-q", PLAIN, image);
  });
  after(async () => {
    await carol[Symbol.asyncDispose]();
    await root[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  const layersOf = (store: string) => join(store, "images/layers");
  /** Whiteouts have the time at which they were made. */
  const tarOfLayer = (layer: string, file: string) =>
    `find '${layer}' -type c -exec touch -d @0 {} + && ${gnuTarCommand(layer, file, { xattrs: false })}`;

  it("gets, as he sees it, the very trees that root gets", async () => {
    const names = readdirSync(layersOf(`${root.base}/root`)).sort();
    assert.equal(names.length, 2);
    assert.deepEqual(readdirSync(layersOf(carol.root)).sort(), names);
    for (const name of names) {
      const mine = join(layersOf(`${root.base}/root`), name);
      const his = join(layersOf(carol.root), name);
      const [one, other] = [root.file("mine.tar"), carol.file("his.tar")];
      spawnSync("sh", ["-c", tarOfLayer(mine, one)]);
      await carol.ok("unshare", "sh", "-c", tarOfLayer(his, other));
      const [a, b] = [readFileSync(one), readFileSync(other)];
      assert.ok(a.length > 2000 && a.equals(b), `${name}: ${a.length} and ${b.length} bytes`);
    }
  });

  it("gets their attributes: capabilities, ACLs, his own; and overlay's marks in his form", async () => {
    const lines = `import(${JSON.stringify(join(import.meta.dirname, "../../support/gnu-tar.ts"))}).then((m) => process.stdout.write(m.xattrLines(process.argv[1]).join("\\n")))`;
    const his = await carol.ok("unshare", process.execPath, "-e", lines, layersOf(carol.root));
    const mine = xattrLines(layersOf(`${root.base}/root`)).map((line) =>
      line.replace(" trusted.overlay.", " user.overlay."),
    );
    assert.deepEqual(his.split("\n"), mine);
    for (const name of ["security.capability", "posix_acl_access", "user.note", "overlay.opaque"]) {
      assert.ok(
        mine.some((line) => line.includes(name)),
        name,
      );
    }
  });

  it("can mount them as one, and sees what the image says", async () => {
    const names = readdirSync(layersOf(carol.root));
    const isLower = (name: string) => existsSync(join(layersOf(carol.root), name, "dir/last"));
    const [lower] = names.filter(isLower);
    const [upper] = names.filter((name) => !isLower(name));
    const overlay = JSON.stringify(join(import.meta.dirname, "../../../src/overlay/index.ts"));
    const options = await carol.ok(
      "unshare",
      process.execPath,
      "-e",
      `import(${overlay}).then(({ planOverlay, probeOverlay }) => process.stdout.write(planOverlay({ layers: ["/"], facts: probeOverlay(process.cwd()) }).options.join()))`,
    );
    assert.match(options, /^userxattr/);
    const script = `cd '${layersOf(carol.root)}' && mkdir -p "$HOME/mnt" "$HOME/upper" "$HOME/work" &&
      mount -t overlay -o ${options},lowerdir=${upper}:${lower},upperdir=$HOME/upper,workdir=$HOME/work overlay "$HOME/mnt" &&
      cd "$HOME/mnt" && rm -r dir/set-user-id sticky && mkdir sticky &&
      find . | sort && stat -c '%u %g %a' hidden dir/last dir/mail &&
      cd / && umount "$HOME/mnt" && rm -r "$HOME/upper" "$HOME/work" "$HOME/mnt"`;
    const seen = await carol.ok("unshare", "unshare", "--mount", "sh", "-c", script);
    const lines = seen.split("\n");
    assert.deepEqual(lines.slice(-3), ["3 4 750", "65535 65535 600", "8 12 640"]);
    assert.ok(lines.includes("./hidden/instead") && lines.includes("./dir/added"));
    assert.ok(!lines.includes("./root") && !lines.includes("./hidden/below"));
  });

  it("sees in diff what the image's uppermost layer changes", async () => {
    const said = await carol.ok("diff", image);
    assert.equal(said, await root.ok("diff", image));
    assert.ok(said.includes("D /root") && said.includes("A /hidden/instead"), said);
  });

  it("keeps everything in directories of his own, with ids that are his", () => {
    assert.equal(statSync(carol.root).uid, carol.uid);
    assert.equal(statSync(carol.root).mode & 0o777, 0o700);
    const layer = readdirSync(layersOf(carol.root)).find((name) =>
      existsSync(join(layersOf(carol.root), name, "dir/last")),
    );
    const { uid, gid } = statSync(join(layersOf(carol.root), layer ?? "", "dir/last"));
    assert.deepEqual([uid, gid], [700_000 + 65_534, 800_000 + 65_534]);
    assert.ok(existsSync(join(carol.runtime, "tsrun")));
  });

  it("saves the bytes that root saves, and what he saves is loaded by both", async () => {
    for (const format of ["docker-archive", "oci-archive"]) {
      await carol.ok("save", "--format", format, "-o", "his.tar", image);
      await root.ok("save", "--format", format, "-o", root.file("mine.tar"), image);
      const [his, mine] = [
        readFileSync(carol.file("his.tar")),
        readFileSync(root.file("mine.tar")),
      ];
      assert.ok(his.equals(mine), format);
    }
    const id = await carol.ok("image", "inspect", "-f", "{{.Id}}", image);
    await carol.ok("image", "rm", image);
    assert.deepEqual(readdirSync(layersOf(carol.root)), []);
    assert.match(await carol.ok("load", "-q", "-i", "his.tar"), new RegExp(image));
    assert.equal(await carol.ok("image", "inspect", "-f", "{{.Id}}", image), id);
    assert.equal(await carol.ok("system", "check", "--images"), "Nothing is left behind.");
  });

  it("loads from a pipe and from what a shell has opened", async () => {
    await carol.ok("save", "-o", "app.tar", image);
    const script = `cat app.tar | "$0" load -q && "$0" load -q -i <(cat app.tar) && "$0" load -q < app.tar`;
    const { status, stdout, stderr } = await carol.program("bash", ["-c", script, TSRUN]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.equal(stdout.match(new RegExp(image, "g"))?.length, 3);
  });

  it("gives names, takes them away, and goes back to what they pointed to", async () => {
    await carol.ok("tag", image, "mine:1");
    mkdirSync(carol.file("tree"));
    writeFileSync(carol.file("tree/file"), "another image");
    await carol.ok("import", "-q", "tree", "mine:1");
    assert.match(await carol.ok("image", "history-of", "mine:1"), /\*/);
    assert.match(await carol.ok("image", "rollback", "mine:1"), /mine:1/);
    const idOf = (name: string) => carol.ok("image", "inspect", "-f", "{{.Id}}", name);
    assert.equal(await idOf("mine:1"), await idOf(image));
    await carol.ok("image", "promote", "mine:1@2");
    assert.notEqual(await idOf("mine:1"), await idOf(image));
    assert.match(await carol.ok("images"), /mine +1 /);
    assert.match(await carol.ok("history", "mine:1"), /import/i);
    await carol.ok("rmi", "mine:1");
    await carol.ok("image", "prune", "--versions");
    assert.match(await carol.ok("system", "df"), /^Images +1 /m);
  });

  it("has his own device nodes left out, as only the host's root can make them", async () => {
    const members = [
      { name: "dev/null", type: "character-device", devmajor: 1, devminor: 3 },
      { name: "dev/zero", body: "" },
      { name: "dev/zero", type: "character-device", devmajor: 1, devminor: 5 },
      { name: "dev/again", type: "link", linkname: "dev/null" },
      { name: "dev/sda", type: "block-device", devmajor: 8, devminor: 0 },
      { name: "dev/sda", body: "a file after all" },
      { name: "etc/kept", body: "kept" },
    ] as const;
    const layer = await importMembers(members);
    assert.deepEqual(readdirSync(join(layer, "dev")), ["sda"]);
    assert.equal(readFileSync(join(layer, "dev/sda"), "utf8"), "a file after all");
    assert.equal(readFileSync(join(layer, "etc/kept"), "utf8"), "kept");
  });

  async function importMembers(members: readonly object[]): Promise<string> {
    const before = new Set(readdirSync(layersOf(carol.root)));
    const result = await carol.run(["import", "-q", "-", "made:1"], {
      input: await archive(members),
    });
    assert.equal(result.status, 0, result.stderr);
    const made = readdirSync(layersOf(carol.root)).filter((name) => !before.has(name));
    return join(layersOf(carol.root), made[0] ?? "");
  }

  it("is told of a file that belongs to an id that he has not", async () => {
    const input = await tarOf([{ name: "srv/far", uid: 70_000, gid: 5, body: "x" }]);
    const { status, stderr } = await carol.run(["import", "-", "far:1"], { input });
    assert.equal(status, 125);
    assert.match(
      stderr,
      /^Error: cannot give "srv\/far" to user 70000, group 5: user 70000 is not in this user namespace\nHint: You have 65537 ids, .*usermod --add-subuids/m,
    );
    assert.deepEqual(readdirSync(join(carol.root, "images/tmp")), []);
  });

  const hostile: readonly (readonly [string, readonly object[]])[] = [
    ["a member with .. in its name", [{ name: "../../escaped", body: "x" }]],
    ["a hard link out", [{ name: "passwd", type: "link", linkname: "../../../../etc/passwd" }]],
    ["a device that is a whiteout", [{ name: "x", type: "character-device" }]],
    ["a host's attribute", [{ name: "d", body: "", pax: { "SCHILY.xattr.trusted.mine": "1" } }]],
  ];
  for (const [what, members] of hostile) {
    it(`is kept from ${what}`, async () => {
      const input = await archive(members);
      const { status, stderr } = await carol.run(["import", "-", "hostile:1"], { input });
      assert.equal(status, 125, stderr);
      assert.match(stderr, /^Error: .*\n/m);
      assert.ok(!stderr.includes("bug"), stderr);
      assert.deepEqual(readdirSync(join(carol.root, "images/tmp")), []);
    });
  }

  it("takes no overlay's mark from an archive", async () => {
    const layer = await importMembers([
      { name: "d", type: "directory", pax: { "SCHILY.xattr.user.overlay.opaque": "y" } },
      { name: "d/file", body: "x" },
    ]);
    assert.deepEqual(xattrLines(layer), []);
  });

  it("writes through a symbolic link only below his layer", async () => {
    writeFileSync(carol.file("outside"), "kept");
    const layer = await importMembers([
      { name: carol.home.slice(1), type: "directory" },
      { name: "out", type: "symlink", linkname: carol.home },
      { name: "out/outside", body: "hostile" },
    ]);
    assert.equal(readFileSync(carol.file("outside"), "utf8"), "kept");
    assert.equal(readFileSync(join(layer, carol.home, "outside"), "utf8"), "hostile");
  });

  it("uses the library in unshare, and is told so without it", async () => {
    const index = JSON.stringify(join(import.meta.dirname, "../../../src/index.ts"));
    const input = await archive([{ name: "far", uid: 8, gid: 8, body: "x" }]);
    writeFileSync(carol.file("far.tar"), input, { mode: 0o644 });
    chmodSync(carol.file("far.tar"), 0o644);
    const script = `import(${index}).then(({ images }) => images.import("far.tar", "far:2")).then(({ id }) => console.log(id), (error) => console.log(error.code, error.message, error.hint))`;
    const program = [process.execPath, "-e", script];
    const alone = await carol.program(process.execPath, program.slice(1));
    assert.match(alone.stdout, /^PERMISSION cannot give "far" to user 8, group 8 .*tsrun unshare/);
    const id = await carol.ok("unshare", ...program);
    assert.equal(await carol.ok("image", "inspect", "-f", "{{.Id}}", "far:2"), id);
    await carol.ok("rmi", "far:2");
  });

  it("is told what needs root", async () => {
    for (const line of ["run busybox true", "create busybox true", "build .", "volume create v"]) {
      const { status, stderr } = await carol.run(line.split(" "));
      assert.equal(status, 125, line);
      assert.match(stderr, /^Error: "tsrun [a-z ]+" needs root\nHint: Use `sudo tsrun /, line);
    }
    for (const line of ["ps -a", "version", "info", "run --help"]) {
      assert.equal((await carol.run(line.split(" "))).status, 0, line);
    }
  });

  it("gets his programs' status, signal and descriptors through unshare", async () => {
    assert.equal((await carol.run(["unshare", "sh", "-c", "exit 7"])).status, 7);
    assert.equal((await carol.run(["unshare", "sh", "-c", "kill -TERM $$"])).signal, "SIGTERM");
    const open = ["ls", "/proc/self/fd"] as const;
    const { stdout } = await carol.program(open[0], open.slice(1));
    assert.equal(await carol.ok("unshare", ...open), stdout.trim());
    assert.equal(await carol.ok("unshare", "sh", "-c", "id -u; id -g"), "0\n0");
    const missing = await carol.run(["unshare", "/no/such"]);
    assert.deepEqual(
      [missing.status, missing.stderr.split("\n")[0]],
      [127, 'Error: there is no program "/no/such"'],
    );
    const { status, stderr } = await root.run(["unshare", "true"]);
    assert.equal(status, 125);
    assert.match(stderr, /^Error: root has all ids/);
  });
});

async function archive(members: readonly object[]): Promise<Buffer> {
  const pack = tar.pack();
  for (const member of members) {
    const { body = "", ...header } = member as { body?: string; name: string };
    pack.entry(header, body);
  }
  pack.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of pack as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a registry with passwords", {
  skip: unavailable ?? dockerRegistryUnavailable() ?? false,
}, () => {
  it("is logged in to, pushed to and pulled from, with root's digests", async () => {
    await using carol = new OtherUser();
    await using root = await Cli.open();
    await using registry = await DockerRegistry.open({ auth: "basic" });
    const login = ["login", PLAIN, "-u", USER, "--password-stdin", registry.host];
    const said = await carol.run(login, { input: PASSWORD });
    assert.equal(said.status, 0, said.stderr);
    const file = join(carol.runtime, "containers/auth.json");
    assert.equal(statSync(file).uid, carol.uid);
    const auth = { REGISTRY_AUTH_FILE: file };
    const pushed = await root.run(
      ["push", PLAIN, "--digestfile", root.file("d"), "busybox", `${registry.host}/a:1`],
      { env: auth },
    );
    assert.equal(pushed.status, 0, pushed.stderr);
    await carol.ok("pull", "-q", PLAIN, `${registry.host}/a:1`);
    await carol.ok(
      "push",
      PLAIN,
      "--digestfile",
      "d",
      `${registry.host}/a:1`,
      `${registry.host}/b:1`,
    );
    const digest = readFileSync(root.file("d"), "utf8");
    assert.equal(readFileSync(carol.file("d"), "utf8"), digest);
    await carol.ok("logout", registry.host);
    const denied: CliResult = await carol.run(["pull", PLAIN, `${registry.host}/b:1`]);
    assert.match(denied.stderr, /^Error: .*/m);
    assert.equal(denied.status, 125);
  });
});
