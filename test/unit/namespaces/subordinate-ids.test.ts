import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatIdMap, parseSubordinateIds, planOwnIdMap } from "../../../src/namespaces/index.ts";

describe("the ids of a user without privileges", () => {
  it("are those of his lines of /etc/subuid, by name or number, in their order", () => {
    const text =
      "root:1:5\ncarol:200000:65536\n# carol:7:7\n4242:900000:10\ncarol:300000:1\ncarolus:5:5\n";
    assert.deepEqual(parseSubordinateIds(text, ["carol", "4242"]), [
      { first: 200_000, size: 65_536 },
      { first: 900_000, size: 10 },
      { first: 300_000, size: 1 },
    ]);
  });

  it("are none in a file that says nothing of him, or nothing that is a range", () => {
    for (const text of ["", "\n", "dave:1:2", "carol:x:5", "carol:5", "carol:5:0", "carol:-1:5"]) {
      assert.deepEqual(parseSubordinateIds(text, ["carol"]), [], text);
    }
  });

  it("begin with his own as 0, and go on from 1 without a hole", () => {
    const ranges = [
      { first: 200_000, size: 10 },
      { first: 300_000, size: 5 },
    ];
    const text = formatIdMap(planOwnIdMap(1000, ranges), "test");
    assert.equal(text, "0 1000 1\n1 200000 10\n11 300000 5\n");
    assert.equal(formatIdMap(planOwnIdMap(1000, []), "test"), "0 1000 1\n");
  });

  it("are mapped once, though two lines give them or one gives him his own", () => {
    const ranges = [
      { first: 999, size: 10 },
      { first: 5000, size: 10 },
      { first: 5005, size: 10 },
      { first: 5010, size: 2 },
    ];
    const map = planOwnIdMap(1000, ranges);
    assert.equal(formatIdMap(map, "test"), "0 1000 1\n1 5000 10\n11 5010 2\n");
  });

  it("are as many lines as the kernel takes, whatever the file says", () => {
    const ranges = Array.from({ length: 500 }, (_, at) => ({ first: 10_000 + at * 10, size: 1 }));
    assert.equal(planOwnIdMap(0, ranges).length, 340);
  });
});
