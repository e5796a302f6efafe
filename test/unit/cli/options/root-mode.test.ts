import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRootMode } from "../../../../src/cli/options/root-mode.ts";

describe("--root-mode", () => {
  it("knows the three modes", () => {
    for (const mode of ["private", "shared", "ephemeral"]) {
      assert.equal(parseRootMode("--root-mode", mode), mode);
    }
  });

  it("names what was typed and what can be", () => {
    assert.throws(() => parseRootMode("--root-mode", "Shared"), {
      code: "INVALID_ARGUMENT",
      message: /"Shared" for --root-mode/,
      hint: /private, shared, ephemeral/,
    });
  });
});
