import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FoundFile } from "../../../src/build/files.ts";
import { planCopy, targetDirectory } from "../../../src/build/plan-copy.ts";

const file = (path: string): FoundFile => ({ path, kind: "file" });
const directory = (path: string): FoundFile => ({ path, kind: "directory" });

function copied(
  files: readonly FoundFile[],
  path: string,
  { isDirectory = false, parents = false } = {},
) {
  const target = { path, isDirectory };
  const planned = planCopy(files, target, { parents });
  if (typeof planned === "string") return planned;
  return { names: planned.map(({ name }) => name), in: targetDirectory(target, planned) };
}

describe("where copied files go", () => {
  it("is the target itself for one file, or into it for a directory", () => {
    assert.deepEqual(copied([file("a/b")], "/x"), { names: ["x"], in: "" });
    assert.deepEqual(copied([file("a/b")], "/x/y"), { names: ["x/y"], in: "x" });
    assert.deepEqual(copied([file("a/b")], "/x/"), { names: ["x/b"], in: "x" });
    assert.deepEqual(copied([file("a/b")], "/x", { isDirectory: true }), {
      ...{ names: ["x/b"], in: "x" },
    });
    assert.deepEqual(copied([file("b")], "/"), { names: ["b"], in: "" });
  });

  it("is the target for the contents of a directory", () => {
    assert.deepEqual(copied([directory("a/b")], "/x"), { names: ["x"], in: "x" });
    assert.deepEqual(copied([directory("a"), file("c")], "/x/"), { names: ["x", "x/c"], in: "x" });
    assert.deepEqual(copied([directory("")], "/"), { names: [""], in: "" });
  });

  it("keeps the directories with --parents", () => {
    assert.deepEqual(copied([file("a/b"), directory("c/d")], "/x", { parents: true }), {
      ...{ names: ["x/a/b", "x/c/d"], in: "x" },
    });
  });

  it("must be a directory for several", () => {
    assert.match(String(copied([file("a"), file("b")], "/x")), /no directory, and there are 2/);
  });
});
