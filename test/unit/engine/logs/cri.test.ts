import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CriParser, parseRfc3339 } from "../../../../src/engine/logs/cri.ts";

const TIME = "2026-11-21T10:44:43.123456789Z";
const NS = 1_795_257_883_123_456_789n;
const parse = (line: string | Buffer) => new CriParser().parse(Buffer.from(line));

describe("CriParser", () => {
  it("reads a record's parts", () => {
    assert.deepEqual(parse(`${TIME} stdout F hello world`), {
      time: NS,
      timestamp: TIME,
      stream: "stdout",
      partial: false,
      text: Buffer.from("hello world"),
    });
    assert.deepEqual(parse(`${TIME} stderr P `), {
      time: NS,
      timestamp: TIME,
      stream: "stderr",
      partial: true,
      text: Buffer.alloc(0),
    });
  });

  it("reads what conmon and containerd write", () => {
    const record = parse("2026-11-21T11:44:43.123456789+01:00 stdout F x");
    assert.equal(record?.time, NS);
  });

  it("keeps any bytes of the text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (text) => {
        const record = parse(Buffer.concat([Buffer.from(`${TIME} stdout F `), text]));
        assert.deepEqual(record?.text, Buffer.from(text));
      }),
    );
  });

  it("tells times apart that follow each other", () => {
    const parser = new CriParser();
    const times = ["2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.000000001Z", TIME, TIME];
    const read = times.map((time) => parser.parse(Buffer.from(`${time} stdout F x`))?.timestamp);
    assert.deepEqual(read, times);
  });

  const torn = [
    "",
    " ",
    TIME,
    `${TIME} `,
    `${TIME} stdout`,
    `${TIME} stdout F`,
    `${TIME} stdout X text`,
    `${TIME} stdin F text`,
    `${TIME} stdoutF text`,
    `${TIME} stdout  text`,
    `${TIME} stdout FF text`,
    ` ${TIME} stdout F text`,
    "yesterday stdout F text",
    "2026-13-21T10:44:43Z stdout F text",
  ];
  for (const line of torn) {
    it(`is no record: ${JSON.stringify(line)}`, () => assert.equal(parse(line), undefined));
  }

  it("never throws, whatever the line holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (line) => {
        new CriParser().parse(Buffer.from(line));
      }),
    );
  });
});

describe("parseRfc3339", () => {
  const table: readonly (readonly [string, bigint | undefined])[] = [
    ["1970-01-01T00:00:00Z", 0n],
    ["1970-01-01T00:00:00.000000001Z", 1n],
    ["1970-01-01T00:00:00.5Z", 500_000_000n],
    ["1969-12-31T23:59:59.9Z", -100_000_000n],
    ["2024-02-29T00:00:00Z", 1_709_164_800_000_000_000n],
    ["2026-11-21T16:14:43.123456789+05:30", NS],
    ["2026-11-21T02:44:43.123456789-08:00", NS],
    ["2026-11-21t10:44:43.123456789z", NS],
    ["2016-12-31T23:59:60Z", 1_483_228_800_000_000_000n],
    ["0050-01-01T00:00:00Z", -60_589_296_000_000_000_000n],
    ["2023-02-29T00:00:00Z", undefined],
    ["2026-00-10T00:00:00Z", undefined],
    ["2026-01-32T00:00:00Z", undefined],
    ["2026-01-01T24:00:00Z", undefined],
    ["2026-01-01T00:60:00Z", undefined],
    ["2026-01-01T00:00:00", undefined],
    ["2026-01-01T00:00:00+24:00", undefined],
    ["2026-01-01T00:00:00.1234567890Z", undefined],
    ["2026-01-01", undefined],
    ["", undefined],
  ];
  for (const [text, time] of table) {
    it(`${JSON.stringify(text)} is ${time}`, () => assert.equal(parseRfc3339(text), time));
  }

  it("agrees with Date to the millisecond", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(0), max: new Date("2999-01-01"), noInvalidDate: true }),
        (date) => {
          assert.equal(parseRfc3339(date.toISOString()), BigInt(date.getTime()) * 1_000_000n);
        },
      ),
    );
  });
});
