/** Archives of images, and a store that somebody has spoilt. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Cli, runProgram } from "../../support/cli.ts";

let cli: Cli;

before(async () => {
  cli = await Cli.open();
  const tree = cli.file("tree");
  mkdirSync(join(tree, "etc"), { recursive: true });
  writeFileSync(join(tree, "etc/word"), "word");
  await cli.ok("image", "import", "-q", "--cmd", "sh", tree, "small:1");
});
after(() => cli[Symbol.asyncDispose]());

async function ids(target: Cli): Promise<Record<string, string>> {
  const lines = await target.ok(
    "images",
    "--no-trunc",
    "--format",
    "{{.Repository}}:{{.Tag}} {{.ID}}",
  );
  return Object.fromEntries(lines.split("\n").map((line) => line.split(" ")));
}

async function diffIds(target: Cli): Promise<readonly string[]> {
  const [image] = JSON.parse(await target.ok("image", "inspect", "busybox")) as {
    RootFS: { Layers: string[] };
  }[];
  const layers = image?.RootFS.Layers ?? [];
  assert.notDeepEqual(layers, []);
  return layers;
}

function lacks(program: string): string | false {
  const { error } = spawnSync(program, ["--version"], { stdio: "ignore" });
  return error === undefined ? false : `needs ${program}`;
}

async function ok(command: string, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout.trim();
}

describe("save and load", () => {
  for (const format of ["docker-archive", "oci-archive", "oci-dir"]) {
    it(`carry images with their names as ${format}`, async () => {
      const file = cli.file(format);
      await cli.ok("save", "--format", format, "-o", file, "busybox", "small:1");
      await using other = await Cli.open({ image: false });
      const said = await other.ok("load", "-q", "-i", file);
      assert.deepEqual(said.split("\n").sort(), [
        "Loaded image: busybox:latest",
        "Loaded image: small:1",
      ]);
      assert.deepEqual(await ids(other), await ids(cli));
      assert.equal(await other.ok("run", "--rm", "busybox", "echo", "loaded"), "loaded");
      assert.equal(await other.ok("system", "check", "--images"), "Nothing is left behind.");
    });

    it(`give podman and skopeo a ${format}`, { skip: lacks("skopeo") }, async () => {
      const file = cli.file(`one-${format}`);
      await cli.ok("save", "--format", format, "-o", file, "busybox");
      const transport = format === "oci-dir" ? "oci" : format;
      const layout = cli.file(`copied-${format}`);
      await ok("skopeo", "copy", `${transport}:${file}`, `oci:${layout}:busybox`);
      const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as {
        manifests: { digest: string }[];
      };
      const [image] = JSON.parse(await cli.ok("image", "inspect", "busybox")) as {
        Digest: string;
        Id: string;
      }[];
      if (format !== "docker-archive") assert.equal(index.manifests[0]?.digest, image?.Digest);
      // And back, from what skopeo wrote.
      await using other = await Cli.open({ image: false });
      await other.ok("load", "-q", "-i", layout);
      // From docker's format skopeo writes the configuration anew: its layers are all that stays.
      if (format !== "docker-archive")
        assert.deepEqual((await ids(other))["busybox:latest"], `sha256:${image?.Id}`);
      assert.deepEqual(await diffIds(other), await diffIds(cli));
      // And as an archive of skopeo's; docker's format it cannot make of zstd layers (1.9).
      const back = format === "docker-archive" ? "docker-archive" : "oci-archive";
      const archive = cli.file(`back-${format}.tar`);
      await ok("skopeo", "copy", `oci:${layout}:busybox`, `${back}:${archive}:again:1`);
      await other.ok("load", "-q", "-i", archive);
      assert.equal(await other.ok("run", "--rm", "again:1", "echo", "back"), "back");
    });
  }

  it("work in a pipe, compressed too", async () => {
    await using other = await Cli.open({ image: false });
    const script = `"$TSRUN" save busybox | gzip | "$TSRUN" --root "$OTHER" load -q`;
    const { status, stdout, stderr } = await cli.shell(script, {
      env: {
        TSRUN: join(import.meta.dirname, "../../../bin/tsrun"),
        OTHER: join(other.base, "root"),
      },
    });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "Loaded image: busybox:latest\n");
    assert.equal(await other.ok("run", "--rm", "busybox", "echo", "x"), "x");
  });

  it("refuse what is no image, and leave nothing of it", async () => {
    await using other = await Cli.open({ image: false });
    const tar = other.file("root.tar");
    await ok("tar", "-C", cli.file("tree"), "-cf", tar, ".");
    const { status, stderr } = await other.run(["load", "-i", tar]);
    assert.equal(status, 125);
    assert.match(stderr, /has no image in it/);
    writeFileSync(tar, "not a tar at all");
    assert.match((await other.run(["load", "-i", tar])).stderr, /not a tar archive/);
    assert.equal(await other.ok("images", "-q"), "");
    assert.equal(await other.ok("system", "check"), "Nothing is left behind.");
  });
});

describe("system check --images", () => {
  async function spoiltStore(): Promise<{ readonly other: Cli; readonly store: string }> {
    const other = await Cli.open();
    return { other, store: join(other.base, "root", "images") };
  }

  async function only(store: string, name: string): Promise<string> {
    const found = await ok("sh", "-c", `ls -S "${store}/${name}"`);
    return join(store, name, found.split("\n")[0] ?? "");
  }

  it("finds a changed layer, and unpacks it anew", async () => {
    const { other, store } = await spoiltStore();
    await using _other = other;
    const layer = await only(store, "layers");
    writeFileSync(join(layer, "bin/busybox"), "spoilt");
    const seen = await other.run(["system", "check", "--images"]);
    assert.equal(seen.status, 1);
    assert.match(seen.stdout, /image +found +a layer was changed/);
    assert.equal((await other.run(["system", "check"])).status, 0);
    const mended = await other.run(["system", "check", "--images", "--repair"]);
    assert.equal(mended.status, 0, mended.stdout);
    assert.equal(await other.ok("system", "check", "--images"), "Nothing is left behind.");
    assert.equal(await other.ok("run", "--rm", "busybox", "echo", "mended"), "mended");
    rmSync(layer, { recursive: true });
    await other.ok("system", "check", "--images", "--repair");
    assert.equal(await other.ok("run", "--rm", "busybox", "echo", "again"), "again");
  });

  it("finds changed blobs, and drops them", async () => {
    const { other, store } = await spoiltStore();
    await using _other = other;
    const blob = await only(store, "blobs/sha256");
    const bytes = readFileSync(blob);
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
    writeFileSync(blob, bytes);
    const mended = await other.run(["system", "check", "--images", "--repair"]);
    assert.match(mended.stdout, /repaired +a blob has other contents/);
    // The image still runs: its layer is unpacked.
    assert.equal(await other.ok("run", "--rm", "busybox", "echo", "runs"), "runs");
    const push = await other.run(["push", "busybox", "localhost:1/x:1"]);
    assert.equal(push.status, 125);
  });
});
