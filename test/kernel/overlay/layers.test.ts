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
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readFileInRoot, removeTree, setXattr, writeFileInRoot } from "../../../src/ffi/index.ts";
import {
  createUpper,
  openDetachedRoot,
  planOverlay,
  probeOverlay,
  readDiff,
  readMergedFiles,
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

function diff(layers: readonly string[], changed: string | readonly string[]): string[] {
  const letters = { added: "A", changed: "C", deleted: "D" };
  return readDiff(layers, changed).map(({ kind, path }) => `${letters[kind]} ${path}`);
}

describe("readMergedFiles", () => {
  const PASSWD = "/etc/passwd";
  const read = (layers: readonly string[], name = "passwd") =>
    readMergedFiles(layers, "etc", ["hosts", name])[1]?.toString();
  /** What the kernel shows of the same stack. */
  const mounted = (layers: readonly string[]) => {
    const fd = openDetachedRoot({ kind: "overlay", lower: layers, options: [], idMapped: false });
    try {
      return Buffer.from(readFileInRoot(fd, PASSWD)).toString();
    } catch (error) {
      assert.equal((error as { code?: string }).code, "ENOENT");
      return undefined;
    } finally {
      closeSync(fd);
    }
  };
  const base = { "etc/passwd": "base", "etc/other": "other", "usr/etc/passwd": "usr" };

  for (const [what, script, expected] of [
    ["the lower file where nothing changed", "touch x", "base"],
    ["the upper file", "echo -n new > etc/passwd", "new"],
    ["nothing below a whiteout", "rm etc/passwd", undefined],
    ["nothing below a removed directory", "rm -r etc", undefined],
    ["nothing in an opaque directory", "rm -r etc; mkdir etc; touch etc/other", undefined],
    ["a directory that became a link", "rm -r etc; ln -s usr/etc etc", "usr"],
    ["a link that leads up and around", "rm -r etc; ln -s ../../usr/../usr/./etc etc", "usr"],
    ["an absolute link to a lower file", "rm etc/passwd; ln -s /usr/etc/passwd etc/passwd", "usr"],
    ["a link to a lower link", "rm -r etc; ln -s /e etc; ln -s usr/etc e", "usr"],
    ["no end of links", "rm -r etc; ln -s etc etc", undefined],
    ["no directory", "rm etc/passwd; mkdir etc/passwd", undefined],
    ["a file in place of the directory", "rm -r etc; touch etc", undefined],
  ] as const) {
    it(`finds ${what}`, () => {
      const lower = [layer(base)];
      const layers = [change(lower, script), ...lower];
      assert.equal(read(layers), expected);
      if (expected !== undefined) assert.equal(mounted(layers), expected);
    });
  }

  it("looks through three layers, the middle one of which hides the lowest", () => {
    const lowest = layer(base);
    const middle = change([lowest], "rm -r etc; mkdir etc; echo -n middle > etc/group");
    const top = change([middle, lowest], "touch etc/new");
    assert.equal(read([top, middle, lowest]), undefined);
    assert.equal(read([top, middle, lowest], "group"), "middle");
  });

  it("counts a directory that is not made yet as empty", () => {
    assert.equal(read(["/dev/shm/tsrun-no-such-directory", layer(base)]), "base");
  });
});

describe("readDiff", () => {
  it("tells names that are no UTF-8 as the bytes that they are", () => {
    const name = "$(printf '\\377\\376')";
    const layers = [layer({ "dir/f": "" })];
    const upper = change(layers, `touch "${name}" "dir/${name}"`);
    assert.deepEqual(
      readDiff(layers, upper).map(({ bytes }) => bytes.toString("latin1")),
      ["/dir", "/dir/\xff\xfe", "/\xff\xfe"],
    );
    assert.deepEqual(diff(layers, upper), ["C /dir", "A /dir/\ufffd\ufffd", "A /\ufffd\ufffd"]);
    const again = [upper, ...layers];
    assert.deepEqual(
      readDiff(again, change(again, `rm "${name}" "dir/${name}"`)).map(({ kind }) => kind),
      ["changed", "deleted", "deleted"],
    );
  });

  it("does not look behind a link that a directory has replaced", () => {
    const lower = layer({ "real/f": "1" });
    symlinkSync("real", join(lower, "way"));
    const upper = change([lower], "rm way; mkdir way; echo 2 > way/f");
    assert.deepEqual(diff([lower], upper), ["C /way", "A /way/f"]);
  });

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

  it("counts what is hidden further down, too", () => {
    const layers = [layer({ "dir/sub/x": "", "dir/sub/y": "" })];
    const upper = change(layers, "rm -r dir; mkdir -p dir/sub; touch dir/sub/y");
    assert.deepEqual(diff(layers, upper), ["C /dir", "C /dir/sub", "D /dir/sub/x", "C /dir/sub/y"]);
  });

  it("tells what several layers change together", () => {
    const layers = [layer({ "a/one": "", "a/two": "", "b/x": "", c: "" })];
    const middle = change(layers, "rm -r a; touch new gone; rm c");
    const upper = change([middle, ...layers], "mkdir a; touch a/two; rm gone; echo > c");
    assert.deepEqual(diff(layers, [upper, middle]), [
      "C /a",
      "D /a/one",
      "C /a/two",
      "C /c",
      "A /new",
    ]);
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
  it("gives the container's / the mode and time of the layer below", () => {
    const below = layer({});
    chmodSync(below, 0o1777);
    utimesSync(below, 1, 2.5);
    const dir = mkdtempSync(join(base, "container-"));
    createUpper({ dir: join(dir, "u"), work: join(dir, "w") }, below);
    const { mode, mtimeMs } = statSync(join(dir, "u"));
    assert.deepEqual([mode & 0o7777, mtimeMs], [0o1777, 2500]);
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
