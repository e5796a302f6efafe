/**
 * One layer made of several shows what they show: compared on the kernel's own overlay, name by name.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { AT_FDCWD, getXattr, listXattrs, makeNodeAt, setXattr } from "../../../src/ffi/index.ts";
import { createUpper, mergeLayers, openDetachedRoot } from "../../../src/overlay/index.ts";

let base: string;

before(() => {
  // tmpfs carries an upper on every machine, the VM included.
  base = mkdtempSync("/dev/shm/tsrun-merge-");
});
after(() => rmSync(base, { recursive: true, force: true }));

const S_IFCHR = 0o020000;
const OPAQUE = "trusted.overlay.opaque";

function newDirectory(): string {
  return mkdtempSync(join(base, "layer-"));
}

function whiteout(path: string): void {
  makeNodeAt(AT_FDCWD, path, { mode: S_IFCHR });
}

/** The whiteout of layers that cannot have device nodes; its directory is marked. */
function xattrWhiteout(path: string): void {
  writeFileSync(path, "");
  setXattr(path, "trusted.overlay.whiteout", Buffer.from("y"));
}

/** A directory of layer `at`: with files of its own, and one of the next layer hidden. */
function directory(path: string, at: number, opaque: boolean): void {
  mkdirSync(path, { mode: 0o700 + at });
  for (const name of ["same", `own-${at}`]) writeFileSync(join(path, name), `${at}`);
  mkdirSync(join(path, "inner"));
  writeFileSync(join(path, "inner", `${at}`), "");
  whiteout(join(path, `own-${at + 1}`));
  setXattr(path, "trusted.overlay.origin", new Uint8Array()); // as a copied-up one has
  setXattr(path, "user.layer", Buffer.from(`${at}`));
  if (opaque) setXattr(path, OPAQUE, Buffer.from("y"));
}

/** Everything that one layer can have at a name, by a letter. */
const KINDS: Readonly<Record<string, (path: string, layer: number) => void>> = {
  "-": () => {},
  f: (path, at) => writeFileSync(path, `file of ${at}`, { mode: 0o640 + at }),
  l: (path, at) => symlinkSync(`to ${at}`, path),
  w: whiteout,
  d: (path, at) => directory(path, at, false),
  o: (path, at) => directory(path, at, true),
};

function combinations(length: number): readonly string[] {
  if (length === 0) return [""];
  return combinations(length - 1).flatMap((rest) => Object.keys(KINDS).map((kind) => kind + rest));
}

/** What these layers show, uppermost first: a line for each name, as the kernel stacks them. */
function shown(layers: readonly string[]): string {
  // A lone layer is no overlay.
  const lower = layers.length === 1 ? [...layers, newDirectory()] : layers;
  const root = openDetachedRoot({ kind: "overlay", lower, options: [], idMapped: false });
  try {
    return treeLines(`/proc/self/fd/${root}/.`).join("\n");
  } finally {
    closeSync(root);
  }
}

/** Files that are one are named by the first of their names. */
function treeLines(root: string): readonly string[] {
  const first = new Map<bigint, string>();
  const visit = (path: string): readonly string[] => {
    const stat = lstatSync(join(root, path), { bigint: true });
    const isDirectory = stat.isDirectory();
    const one = isDirectory ? path : (first.get(stat.ino) ?? path);
    first.set(stat.ino, one);
    const { mode, uid, gid, rdev, mtimeNs } = stat;
    const line = [path, one, mode.toString(8), uid, gid, rdev, mtimeNs, contents(path, stat)];
    const names = isDirectory ? readdirSync(join(root, path)).sort() : [];
    return [line.join(" "), ...names.flatMap((name) => visit(join(path, name)))];
  };
  const contents = (path: string, stat: { isFile(): boolean; isSymbolicLink(): boolean }) => {
    const at = join(root, path);
    const xattrs = listXattrs(at).map(
      (name) => `${name}=${Buffer.from(getXattr(at, name) ?? "").toString("hex")}`,
    );
    if (stat.isSymbolicLink()) return readlinkSync(at);
    return [stat.isFile() ? readFileSync(at, "hex") : "", ...xattrs.sort()].join(" ");
  };
  return visit(".");
}

/** Merges the upper layers of a stack, and compares what both stacks show. Answers the merged layer. */
function assertSame(layers: readonly string[], below: readonly string[]): string {
  const target = join(newDirectory(), "merged");
  const were = layers.map((path) => treeLines(path).join("\n"));
  const expected = shown([...layers, ...below]);
  mergeLayers({ layers, below, target });
  assert.equal(shown([target, ...below]), expected);
  const are = layers.map((path) => treeLines(path).join("\n"));
  assert.deepEqual(are, were, "the layers are as they were");
  return target;
}

/** Shell commands run in the merged root of these layers; returns the upper. */
function change(layers: readonly string[], script: string): string {
  const dir = mkdtempSync(join(base, "container-"));
  const upper = { dir: join(dir, "upper"), work: join(dir, "work") };
  createUpper(upper, layers[0]);
  const merged = join(dir, "merged");
  mkdirSync(merged);
  const options = `lowerdir=${layers.join(":")},upperdir=${upper.dir},workdir=${upper.work},redirect_dir=off,metacopy=off,index=off`;
  const command = `mount -t overlay -o "${options}" overlay ${merged} && cd ${merged} && ${script}`;
  execFileSync("unshare", ["-m", "--propagation", "private", "sh", "-e", "-c", command]);
  return upper.dir;
}

describe("a merged layer", () => {
  it("shows every combination of three layers, with and without one below, as the kernel does", () => {
    const stack = [0, 1, 2, 3].map((at) => {
      const dir = newDirectory();
      for (const name of combinations(4)) KINDS[name[at] ?? ""]?.(join(dir, name), at);
      return dir;
    });
    assertSame(stack, []);
    assertSame(stack.slice(0, 3), stack.slice(3));
    assertSame(stack.slice(0, 2), stack.slice(2));
    assertSame(stack.slice(0, 1), stack.slice(1));
  });

  const SCRIPTS = [
    "mkdir -p a/b/c x; echo 1 >a/one; echo 2 >a/b/two; ln a/one a/again; ln a/one x/far; mkfifo p; rm n; mknod n c 1 3",
    "chmod 4755 a/one; chown 5:6 a/b; setfattr -n user.k -v v a/b; ln -s /etc s; touch -d @7.5 a/b/c",
    "rm -r a/b; mkdir a/b; echo 3 >a/b/three; echo 9 >>a/one",
    "rm -r x; echo file >x; mv p q; echo e >.wh.e; setfattr -n trusted.k -v v a",
    "rm x; mkdir -p x/deep/er; ln a/b/three x/deep/er/link; rm a/again; rm -r low; touch -h -d @9 s",
    "rm -r a/b; touch a/b; mkdir low; echo new >low/new; rm n; mkdir -m 1777 t; chmod 700 .",
  ];

  it("shows what containers have changed, one on top of the other", () => {
    const image = newDirectory();
    mkdirSync(join(image, "low/er"), { recursive: true });
    mkdirSync(join(image, "a"));
    for (const name of ["low/old", "low/er/old", "a/old", "n"])
      writeFileSync(join(image, name), name);
    const stack = [image];
    for (const script of SCRIPTS) stack.unshift(change(stack, script));
    const layers = stack.slice(0, -1);
    for (let count = 1; count <= layers.length; count += 1) {
      assertSame(stack.slice(0, count), stack.slice(count));
    }
    const merged = assertSame(layers, [image]);
    // What is merged can be changed, and merged again.
    const upper = change([merged, image], "rm -r x a/one; mkdir x; echo 4 >low/old");
    assertSame([upper, merged], [image]);
  });

  it("copies nothing, and its files are the layers' own", () => {
    const [upper, lower] = [newDirectory(), newDirectory()];
    writeFileSync(join(lower, "data"), "x".repeat(100_000));
    linkSync(join(lower, "data"), join(lower, "twin"));
    writeFileSync(join(upper, "other"), "");
    const merged = assertSame([upper, lower], []);
    const inode = (path: string) => lstatSync(path).ino;
    assert.equal(inode(join(merged, "data")), inode(join(lower, "data")));
    assert.equal(inode(join(merged, "twin")), inode(join(lower, "data")));
  });

  it("keeps no whiteout of what came and went", () => {
    const image = newDirectory();
    mkdirSync(join(image, "d"));
    writeFileSync(join(image, "d/kept"), "");
    const one = change([image], "touch d/temporary new; mkdir new.d; touch new.d/f");
    const two = change([one, image], "rm d/temporary d/kept new new.d/f");
    const merged = assertSame([two, one], [image]);
    assert.deepEqual(readdirSync(merged).sort(), ["d", "new.d"]);
    assert.deepEqual(readdirSync(join(merged, "d")), ["kept"]);
    assert.deepEqual(readdirSync(join(merged, "new.d")), []);
  });

  it("marks directories with whiteouts in attributes, where the kernel looks for them", () => {
    const [upper, lower, image] = [newDirectory(), newDirectory(), newDirectory()];
    for (const dir of [upper, lower, image]) mkdirSync(join(dir, "d"));
    for (const name of ["gone", "stays"]) writeFileSync(join(image, "d", name), "");
    xattrWhiteout(join(lower, "d/gone"));
    setXattr(join(lower, "d"), OPAQUE, Buffer.from("x"));
    const merged = join(newDirectory(), "merged");
    mergeLayers({ layers: [upper, lower], below: [image], target: merged });
    assert.equal(Buffer.from(getXattr(join(merged, "d"), OPAQUE) ?? "").toString(), "x");
    assert.ok(existsSync(join(merged, "d/gone")));
  });

  it("is refused for a layer that is not whole", () => {
    const [upper, lower] = [newDirectory(), newDirectory()];
    mkdirSync(join(upper, "moved"));
    setXattr(join(upper, "moved"), "trusted.overlay.redirect", Buffer.from("old"));
    const target = join(newDirectory(), "merged");
    assert.throws(() => mergeLayers({ layers: [upper, lower], below: [], target }), {
      code: "OVERLAY_UNSUPPORTED",
      message: /has "moved", which is not all in that layer/,
    });
  });
});
