import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planAnnotations } from "../../../src/systemd/index.ts";

const property = (name: string, text: string) =>
  planAnnotations({ [`org.systemd.property.${name}`]: text });

describe("planAnnotations", () => {
  it("takes a property by its name on the bus, and nothing else", () => {
    assert.deepEqual(property("CollectMode", "'inactive-or-failed'"), [
      { name: "CollectMode", signature: "s", value: "inactive-or-failed" },
    ]);
    assert.deepEqual(planAnnotations({ "org.example": "1", "org.systemd.proper": "1" }), []);
    assert.deepEqual(planAnnotations(undefined), []);
  });

  it("takes a time in seconds by its documented name", () => {
    const expected = [{ name: "TimeoutStopUSec", signature: "t", value: 1_500_000n }];
    assert.deepEqual(property("TimeoutStopSec", "1.5"), expected);
    assert.deepEqual(property("TimeoutStopUSec", "uint64 1500000"), expected);
    assert.deepEqual(property("TimeoutStopSec", "uint64 2")[0]?.value, 2_000_000n);
  });

  it("leaves a name alone that only ends in capitals", () => {
    assert.deepEqual(property("CPUSec", "5")[0]?.name, "CPUSec");
  });

  it("names the annotation that is wrong", () => {
    for (const [name, text] of [
      ["Ab", "1"],
      ["Has-Dash", "1"],
      ["TimeoutStopSec", "'soon'"],
      ["TimeoutStopSec", "-1"],
      ["CollectMode", "unquoted"],
    ] as const) {
      assert.throws(() => property(name, text), {
        code: "INVALID_SPEC",
        origin: `annotations["org.systemd.property.${name}"]`,
      });
    }
  });
});
