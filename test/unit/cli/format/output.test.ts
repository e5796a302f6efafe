import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  goTime,
  humanDuration,
  humanSize,
  psTime,
  truncated,
} from "../../../../src/cli/format/human.ts";
import { formatInspected, formatListing } from "../../../../src/cli/format/rows.ts";
import { alignColumns } from "../../../../src/cli/format/text-table.ts";

describe("humanDuration", () => {
  const second = 1000;
  const day = 86_400 * second;
  for (const [milliseconds, expected] of [
    [0, "Less than a second"],
    [second, "1 second"],
    [59 * second, "59 seconds"],
    [60 * second, "About a minute"],
    [5 * 60 * second, "5 minutes"],
    [3600 * second, "About an hour"],
    [47 * 3600 * second, "47 hours"],
    [3 * day, "3 days"],
    [21 * day, "3 weeks"],
    [90 * day, "3 months"],
    [800 * day, "2 years"],
    [-5, "Less than a second"],
  ] as const) {
    it(`says ${expected}`, () => assert.equal(humanDuration(milliseconds), expected));
  }
});

describe("humanSize", () => {
  it("counts in thousands with four digits", () => {
    assert.equal(humanSize(0), "0B");
    assert.equal(humanSize(999), "999B");
    assert.equal(humanSize(1000), "1kB");
    assert.equal(humanSize(4_264_000, " "), "4.264 MB");
    assert.equal(humanSize(1_234_567), "1.235MB");
    assert.equal(humanSize(25_000_000_000), "25GB");
  });
});

describe("times", () => {
  it("are Go's and ps's", () => {
    assert.equal(goTime(new Date("2026-01-31T12:00:00.500Z")), "2026-01-31 12:00:00.5 +0000 UTC");
    assert.equal(goTime(new Date("2026-01-31T12:00:10Z")), "2026-01-31 12:00:10 +0000 UTC");
    assert.equal(psTime(62), "01:02");
    assert.equal(psTime(3 * 3600 + 62), "03:01:02");
    assert.equal(psTime(2 * 86_400 + 5), "2-00:00:05");
  });
});

describe("tables", () => {
  it("have columns of at least twelve characters, two apart", () => {
    assert.deepEqual(alignColumns(["A\tB", "a-long-cell-indeed\tb"]), [
      "A                   B",
      "a-long-cell-indeed  b",
    ]);
    assert.deepEqual(alignColumns(["A\tB\tC"]), ["A           B           C"]);
  });

  const listing = {
    rows: [
      { ID: "1", Names: "a" },
      { ID: "2", Names: "b\nc" },
    ],
    table: "{{.ID}}\t{{.Names}}",
    headings: { ID: "CONTAINER ID" },
  };

  it("are printed with headings, or as told", () => {
    assert.equal(
      formatListing(listing, undefined),
      "CONTAINER ID  NAMES\n1             a\n2             b c\n",
    );
    assert.equal(formatListing(listing, "table"), formatListing(listing, undefined));
    assert.equal(
      formatListing(listing, "table {{.Names}}\\t{{.ID}}"),
      "NAMES       CONTAINER ID\na           1\nb c         2\n",
    );
    assert.equal(
      formatListing({ ...listing, noHeading: true }, undefined),
      "1           a\n2           b c\n",
    );
    assert.equal(formatListing(listing, "{{.ID}}"), "1\n2\n");
    assert.deepEqual(JSON.parse(formatListing(listing, "json")), listing.rows);
    assert.equal(formatListing({ ...listing, rows: [] }, "{{.ID}}"), "");
  });

  it("are JSON arrays in inspect", () => {
    const labels = { Labels: new Map([["a", "1"]]) };
    assert.deepEqual(JSON.parse(formatInspected([labels], undefined)), [{ Labels: { a: "1" } }]);
    assert.equal(formatInspected([labels], "{{.Labels.a}}"), "1\n");
  });
});

describe("truncated", () => {
  it("cuts long text", () => {
    assert.equal(truncated("12345", 5), "12345");
    assert.equal(truncated("123456", 5), "12345...");
  });
});
