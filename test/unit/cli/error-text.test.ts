import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { errorText } from "../../../src/cli/error-text.ts";

const cause = Object.assign(new Error("mount failed"), { errno: "EACCES" });
const error = new TsrunError("LAUNCH_FAILED", 'cannot mount "/data"', {
  hint: "Look at it.",
  origin: "mounts[3]",
  errno: "EACCES",
  cause,
});

describe("errorText", () => {
  it("is the sentence and the hint", () => {
    assert.equal(
      errorText(error, { debug: false }),
      'Error: cannot mount "/data"\nHint: Look at it.',
    );
    assert.equal(errorText(new TsrunError("SYSTEM", "no"), { debug: false }), "Error: no");
  });

  it("shows the code, origin, errno and causes to who debugs", () => {
    const lines = errorText(error, { debug: true }).split("\n");
    for (const line of [
      "  code: LAUNCH_FAILED",
      "  origin: mounts[3]",
      "  errno: EACCES",
      "  cause: Error: mount failed (EACCES)",
    ]) {
      assert.ok(lines.includes(line), line);
    }
  });

  it("tells what the host refused as such, not as a bug", () => {
    const denied = Object.assign(new Error("EACCES: permission denied, open '/x'"), {
      ...{ code: "EACCES", syscall: "open", path: "/x" },
    });
    assert.equal(
      errorText(denied, { debug: false }),
      'Error: cannot open "/x": permission denied\nHint: Run tsrun as root, or choose a directory of your own with --root.',
    );
    assert.match(errorText(denied, { debug: true }), /\n {4}at /);
  });

  it("calls everything else a bug and shows its stack", () => {
    const text = errorText(new RangeError("oops"), { debug: false });
    assert.match(text, /^Error: tsrun has met a mistake of its own \(a bug\)\n/);
    assert.match(text, /RangeError: oops\n {4}at /);
  });

  it("tells all of several errors", () => {
    const several = new AggregateError([
      new TsrunError("NOT_FOUND", "a"),
      new TsrunError("NOT_FOUND", "b"),
    ]);
    assert.equal(errorText(several, { debug: false }), "Error: a\nError: b");
  });
});
