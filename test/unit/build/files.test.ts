import assert from "node:assert/strict";
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { digestFiles, type FileTree, findFiles, walkFiles } from "../../../src/build/files.ts";
import { IgnoreRules } from "../../../src/build/ignore.ts";
import { openRoot } from "../../../src/ffi/index.ts";

let base: string;
let root: number;

before(() => {
  base = mkdtempSync(join(tmpdir(), "tsrun-files-"));
  mkdirSync(join(base, "tree/sub/deep"), { recursive: true });
  writeFileSync(join(base, "outside"), "secret");
  for (const name of ["a.txt", "b.txt", "[c]", "sub/x", "sub/deep/y", "sub/z.log"]) {
    writeFileSync(join(base, "tree", name), name);
  }
  linkSync(join(base, "tree/sub/x"), join(base, "tree/sub/x2"));
  symlinkSync("../outside", join(base, "tree/up"));
  symlinkSync("/sub", join(base, "tree/absolute"));
  root = openRoot(join(base, "tree"));
});
after(() => {
  closeSync(root);
  rmSync(base, { recursive: true, force: true });
});

function tree(...ignore: readonly string[]): FileTree {
  return { root, isContext: true, ignore: new IgnoreRules(ignore) };
}

const paths = (from: FileTree, source: string) => findFiles(from, source).map(({ path }) => path);

function walked(from: FileTree, source: string, exclude: readonly string[] = []) {
  const changes = { exclude: new IgnoreRules(exclude) };
  return findFiles(from, source).flatMap((found) =>
    [...walkFiles(from, found, "to", changes)].map(({ entry }) => `${entry.type} ${entry.path}`),
  );
}

describe("files of a context", () => {
  it("are found by patterns, in order", () => {
    assert.deepEqual(paths(tree(), "*.txt"), ["a.txt", "b.txt"]);
    assert.deepEqual(paths(tree(), "s*/[xy]"), ["sub/x"]);
    assert.deepEqual(paths(tree(), "[[]c]"), ["[c]"]);
    assert.deepEqual(paths(tree(), "./sub/../a.txt"), ["a.txt"]);
    assert.deepEqual(findFiles(tree(), "."), [{ path: "", kind: "directory" }]);
    assert.deepEqual(paths(tree(), "nothing"), []);
  });

  it("are never outside of it", () => {
    assert.deepEqual(paths(tree(), "../outside"), []);
    assert.deepEqual(paths(tree(), "up"), []);
    assert.deepEqual(findFiles(tree(), "absolute"), [{ path: "absolute", kind: "directory" }]);
    assert.deepEqual(paths(tree(), "../../../../../../sub/x"), ["sub/x"]);
  });

  it("do not count where they are ignored, but for the exceptions", () => {
    assert.deepEqual(paths(tree("*.txt"), "a.txt"), []);
    assert.deepEqual(walked(tree("sub", "!sub/deep/y"), "sub"), ["file to/deep/y"]);
    assert.deepEqual(walked(tree("**/*.log"), "sub", ["x*"]), [
      ...["directory to/deep", "file to/deep/y"],
    ]);
  });

  it("keep their hard links", () => {
    assert.deepEqual(walked(tree(), "sub"), [
      ...["directory to/deep", "file to/deep/y", "file to/x", "link to/x2", "file to/z.log"],
    ]);
  });

  it("have a digest of contents and attributes, not of times", async () => {
    const digest = () =>
      digestFiles(findFiles(tree(), "sub").flatMap((file) => [...walkFiles(tree(), file, "to")]));
    const first = await digest();
    utimesSync(join(base, "tree/sub/x"), 1, 1);
    assert.equal(await digest(), first);
    writeFileSync(join(base, "tree/sub/x"), "other");
    assert.notEqual(await digest(), first);
  });
});
