import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IgnoreRules, parseIgnoreFile } from "../../../src/build/ignore.ts";

function ignored(patterns: readonly string[], ...paths: readonly string[]): readonly string[] {
  const rules = new IgnoreRules(patterns);
  return paths.filter((path) => rules.ignores(path));
}

describe("ignoring files of a context", () => {
  it("takes what is below a match, and nothing beside it", () => {
    const paths = ["node_modules", "node_modules/a/b", "node_modules2", "src/node_modules"];
    assert.deepEqual(ignored(["/node_modules/"], ...paths), ["node_modules", "node_modules/a/b"]);
  });

  it("lets * stand for one name and ** for any number of directories", () => {
    assert.deepEqual(ignored(["*.log"], "a.log", "d/a.log", ".log"), ["a.log", ".log"]);
    assert.deepEqual(ignored(["**/*.log"], "a.log", "d/e/a.log"), ["a.log", "d/e/a.log"]);
    assert.deepEqual(ignored(["d/**"], "d", "d/a", "d/a/b"), ["d/a", "d/a/b"]);
    assert.deepEqual(ignored(["a/**/z"], "a/z", "a/b/c/z", "az"), ["a/z", "a/b/c/z"]);
    assert.deepEqual(ignored(["x?", "[a-c]1", "[^a]2"], "xy", "b1", "d1", "a2", "b2"), [
      "xy",
      "b1",
      "b2",
    ]);
  });

  it("lets the last rule decide", () => {
    const patterns = ["*.md", "!README*.md", "README-secret.md"];
    const paths = ["a.md", "README.md", "README-secret.md"];
    assert.deepEqual(ignored(patterns, ...paths), ["a.md", "README-secret.md"]);
    assert.deepEqual(ignored(["*", "!keep"], "other", "keep", "keep/x"), ["other"]);
  });

  it("counts from the context's root, wherever a pattern leads", () => {
    assert.deepEqual(ignored(["./a/../b", "../c"], "a", "b", "c"), ["b", "c"]);
    assert.deepEqual(ignored(["/", ".", ""], "a"), []);
  });

  it("reads a file's lines without comments", () => {
    assert.deepEqual(parseIgnoreFile("\uFEFF# c\r\n\n a \n!b # not a comment\n"), [
      "a",
      "!b # not a comment",
    ]);
  });
});
