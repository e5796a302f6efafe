import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planMergedEntry } from "../../../src/overlay/plan-merge.ts";

describe("planMergedEntry", () => {
  it("takes what is no directory from the uppermost layer alone", () => {
    assert.deepEqual(planMergedEntry(["other", "directory"]), { kind: "other", from: 0 });
    assert.deepEqual(planMergedEntry(["whiteout", "other"]), { kind: "whiteout", from: 0 });
  });

  it("merges directories as far down as one hides the rest", () => {
    assert.deepEqual(planMergedEntry(["directory", "directory"]), {
      kind: "directory",
      parts: [0, 1],
      opaque: false,
    });
    assert.deepEqual(planMergedEntry(["directory", "opaque-directory", "directory"]), {
      kind: "directory",
      parts: [0, 1],
      opaque: true,
    });
    assert.deepEqual(planMergedEntry(["opaque-directory", "directory"]), {
      kind: "directory",
      parts: [0],
      opaque: true,
    });
  });

  it("hides what lies below a file or a whiteout that a directory has replaced", () => {
    for (const replaced of ["other", "whiteout"] as const) {
      assert.deepEqual(planMergedEntry(["directory", "directory", replaced, "directory"]), {
        kind: "directory",
        parts: [0, 1],
        opaque: true,
      });
    }
  });
});
