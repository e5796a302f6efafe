import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layersOf } from "../../../../src/engine/layers.ts";
import { decodeConfig } from "../../../../src/engine/store/config.ts";

const OLD = {
  version: 1,
  id: "a".repeat(64),
  name: "web",
  createdAt: "2026-01-01T00:00:00Z",
  request: {},
  process: {},
};
const decode = (record: object) => decodeConfig(JSON.stringify(record), "/c/config.json");

describe("a container's record", () => {
  it("of before there were snapshots has one layer, the first", () => {
    assert.deepEqual(layersOf(decode(OLD)), { current: 0, frozen: [], snapshots: [] });
  });

  it("with layers says so in its version: whoever does not know them must not run it", () => {
    const layers = { current: 1, frozen: [{ container: OLD.id, number: 0 }], snapshots: [] };
    assert.deepEqual(layersOf(decode({ ...OLD, version: 2, layers })), layers);
    for (const record of [
      { ...OLD, version: 2 },
      { ...OLD, version: 3, layers },
    ]) {
      assert.throws(() => decode(record), { code: "STORE_UNAVAILABLE" });
    }
  });
});
