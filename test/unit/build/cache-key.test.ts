import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cacheKey, type KeyParts } from "../../../src/build/cache-key.ts";
import type { CopyAction, RunAction } from "../../../src/build/step.ts";

const RUN: RunAction = {
  ...{ kind: "run", args: ["sh", "-c", "x"], env: { A: "1" }, hiddenEnv: {}, user: "" },
  ...{ workdir: "/", network: "default", mounts: [] },
};
const COPY: CopyAction = {
  ...{ kind: "copy", isAdd: false, from: { kind: "context" }, sources: ["a"], files: [] },
  ...{ target: "/a", chown: undefined, chmod: undefined, exclude: [], parents: false },
  ...{ checksum: undefined, unpack: undefined },
};
const PARTS: KeyParts = {
  ...{ parent: "p", action: RUN, config: { Cmd: ["c"] }, inputs: [], timestampMs: undefined },
};
const key = (changes: Partial<KeyParts>) => cacheKey({ ...PARTS, ...changes });

describe("a step's key", () => {
  it("changes with everything that its result depends on", () => {
    const changed: readonly Partial<KeyParts>[] = [
      { parent: "q" },
      { action: { ...RUN, args: ["sh", "-c", "y"] } },
      { action: { ...RUN, env: { A: "2" } } },
      { action: { ...RUN, user: "me" } },
      { action: { ...RUN, network: "none" } },
      { action: { ...RUN, mounts: [{ type: "tmpfs", target: "/t" }] } },
      { action: COPY },
      { config: { Cmd: ["d"] } },
      { author: "me" },
      { inputs: ["1"] },
      { timestampMs: 0 },
    ];
    const keys = [{}, ...changed].map(key);
    assert.equal(new Set(keys).size, keys.length);
  });

  it("does not change with proxies, and with where the same files come from", () => {
    assert.equal(key({ action: { ...RUN, hiddenEnv: { http_proxy: "p" } } }), key({}));
    const other: CopyAction = { ...COPY, from: { kind: "stage", stage: 3 }, sources: ["b"] };
    assert.equal(key({ action: other, inputs: ["1"] }), key({ action: COPY, inputs: ["1"] }));
  });
});
