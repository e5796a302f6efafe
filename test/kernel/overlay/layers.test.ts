import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { removeTree, setXattr, writeFileInRoot } from "../../../src/ffi/index.ts";
import {
  createUpper,
  openDetachedRoot,
  planOverlay,
  probeOverlay,
  readDiff,
} from "../../../src/overlay/index.ts";

let base: string;

before(() => {
  // tmpfs carries an upper on every machine, the VM included.
  base = mkdtempSync("/dev/shm/tsrun-layers-");
});
after(() => rmSync(base, { recursive: true, force: true }));

/** A layer with these files; a name that ends in "/" is a directory. */
function layer(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(base, "layer-"));
  for (const [name, contents] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(join(path, ".."), { recursive: true });
    if (name.endsWith("/")) mkdirSync(path, { recursive: true });
    else writeFileSync(path, contents);
  }
  return dir;
}

/** Shell commands run in the merged root of these layers; returns the upper. */
function change(layers: readonly string[], script: string): string {
  const dir = mkdtempSync(join(base, "container-"));
  const upper = { dir: join(dir, "upper"), work: join(dir, "work") };
  createUpper(upper, layers[0]);
  const merged = join(dir, "merged");
  mkdirSync(merged);
  const options = `lowerdir=${layers.join(":")},upperdir=${upper.dir},workdir=${upper.work}`;
  const command = `mount -t overlay -o "${options}" overlay ${merged} && cd ${merged} && ${script}`;
  execFileSync("unshare", ["-m", "--propagation", "private", "sh", "-e", "-c", command]);
  return upper.dir;
}

function diff(layers: readonly string[], upper: string): string[] {
  const letters = { added: "A", changed: "C", deleted: "D" };
  return readDiff(layers, upper).map(({ kind, path }) => `${letters[kind]} ${path}`);
}

describe("readDiff", () => {
  it("tells added, changed and deleted paths, and the directories they are in", () => {
    const layers = [layer({ "etc/b": "2" }), layer({ "etc/a": "1", "bin/x": "x", "old/f": "" })];
    const upper = change(
      layers,
      "echo new > etc/c; echo more >> etc/a; rm bin/x; rm -r old; mkdir dir",
    );
    assert.deepEqual(diff(layers, upper), [
      "C /bin",
      "D /bin/x",
      "A /dir",
      "C /etc",
      "C /etc/a",
      "A /etc/c",
      "D /old",
    ]);
  });

  it("counts what a directory that was made anew hides as deleted", () => {
    const layers = [layer({ "dir/one": "", "dir/two": "" })];
    const upper = change(layers, "rm -r dir; mkdir dir; touch dir/two");
    assert.deepEqual(diff(layers, upper), ["C /dir", "D /dir/one", "C /dir/two"]);
  });

  it("does not follow links of the container", () => {
    const layers = [layer({ f: "" })];
    const upper = change(layers, "ln -s /etc link; ln -s / root");
    assert.deepEqual(diff(layers, upper), ["A /link", "A /root"]);
  });

  it("takes a whiteout in xattr form for what it is", () => {
    const layers = [layer({ "d/f": "x" })];
    const upper = layer({ "d/f": "" });
    setXattr(
      { path: join(upper, "d/f"), follow: false },
      "trusted.overlay.whiteout",
      Buffer.from("y"),
    );
    assert.deepEqual(diff(layers, upper), ["C /d", "D /d/f"]);
  });
});

describe("openDetachedRoot", () => {
  it("reaches the merged files through a mount that the host does not see, and writes to the upper", () => {
    const layers = [layer({ "a/f": "upper layer" }), layer({ "a/f": "lower", "a/g": "g" })];
    const dir = mkdtempSync(join(base, "container-"));
    const upper = { dir: join(dir, "upper"), work: join(dir, "work") };
    createUpper(upper, layers[0]);
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    const root = openDetachedRoot(planOverlay({ layers, upper, facts: probeOverlay(dir) }));
    try {
      assert.equal(readFileSync(`/proc/self/fd/${root}/a/f`, "utf8"), "upper layer");
      assert.equal(readFileSync(`/proc/self/fd/${root}/a/g`, "utf8"), "g");
      writeFileInRoot(root, "a/new", "written");
      assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), mounts);
    } finally {
      closeSync(root);
    }
    assert.equal(readFileSync(join(upper.dir, "a/new"), "utf8"), "written");
  });

  it("says what the kernel said where the layers are not there", () => {
    const facts = probeOverlay(base);
    const root = planOverlay({ layers: [join(base, "none"), base], facts });
    assert.throws(() => openDetachedRoot(root), { code: "OVERLAY_UNSUPPORTED" });
  });
});

describe("createUpper", () => {
  it("gives the container's / the mode and owner of the layer below", () => {
    const below = layer({});
    chmodSync(below, 0o1777);
    const dir = mkdtempSync(join(base, "container-"));
    createUpper({ dir: join(dir, "u"), work: join(dir, "w") }, below);
    assert.equal(statSync(join(dir, "u")).mode & 0o7777, 0o1777);
  });
});

describe("removeTree", () => {
  it("removes a tree deeper than a path can be long, and links without what they lead to", () => {
    const outside = layer({ kept: "kept" });
    const tree = layer({});
    symlinkSync(outside, join(tree, "link"));
    execFileSync("sh", [
      "-c",
      'cd "$1"; n=0; while [ $n -lt 1500 ]; do mkdir deeper; cd -P deeper; n=$((n+1)); done',
      "-",
      tree,
    ]);
    removeTree(tree);
    assert.equal(existsSync(tree), false);
    assert.equal(readFileSync(join(outside, "kept"), "utf8"), "kept");
  });

  it("is content with what is gone already", () => {
    removeTree(join(base, "never", "there"));
  });
});
