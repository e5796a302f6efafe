import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseLogTime } from "../../../../src/engine/logs/time.ts";

const SECOND = 1_000_000_000n;
const now = 1_795_257_883n * SECOND;
const parse = (text: string) => parseLogTime(text, { now, flag: "--since" });

describe("parseLogTime", () => {
  const table: readonly (readonly [string, bigint])[] = [
    ["10m", now - 600n * SECOND],
    ["1h30m", now - 5400n * SECOND],
    ["1.5h", now - 5400n * SECOND],
    ["2d", now - 172_800n * SECOND],
    ["0s", now],
    ["250ms", now - SECOND / 4n],
    ["1us", now - 1000n],
    ["1µs", now - 1000n],
    ["7ns", now - 7n],
    ["1m5s", now - 65n * SECOND],
    ["0", 0n],
    ["1763721883", 1_763_721_883n * SECOND],
    ["1763721883.25", 1_763_721_883n * SECOND + SECOND / 4n],
    ["2026-11-21T10:44:43Z", now],
    ["2026-11-21T10:44:43", now],
    ["2026-11-21 10:44:43", now],
    ["2026-11-21T11:44:43+01:00", now],
    ["2026-11-21T10:44", now - 43n * SECOND],
    ["2026-11-21", now - 38_683n * SECOND],
  ];
  for (const [text, time] of table) {
    it(`reads ${JSON.stringify(text)}`, () => assert.equal(parse(text), time));
  }

  for (const text of ["", "-5m", "m", "5 m", "5x", "10m5", "2026-13-01", "now", "1e9", "."]) {
    it(`refuses ${JSON.stringify(text)}, names the flag and shows the ways`, () => {
      assert.throws(() => parse(text), {
        code: "INVALID_ARGUMENT",
        message: `"${text}" for --since is no time`,
        hint: /10m.*RFC 3339.*Unix seconds/,
      });
    });
  }
});
