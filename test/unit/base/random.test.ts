import assert from "node:assert/strict";
import { it } from "node:test";
import { randomHex } from "../../../src/base/random.ts";

it("gives two digits a byte, other ones each time", () => {
  const all = new Set(Array.from({ length: 1000 }, () => randomHex(16)));
  assert.equal(all.size, 1000);
  for (const one of all) assert.match(one, /^[0-9a-f]{32}$/);
});
