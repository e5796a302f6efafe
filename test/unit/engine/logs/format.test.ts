import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LogRecord } from "../../../../src/engine/logs/index.ts";
import { LogFormatter } from "../../../../src/engine/logs/index.ts";

function record(text: string, more: Partial<LogRecord> = {}): LogRecord {
  return {
    time: 0n,
    timestamp: "T",
    stream: "stdout",
    partial: false,
    text: Buffer.from(text),
    ...more,
  };
}

function format(records: readonly LogRecord[], options = {}): string {
  const formatter = new LogFormatter(options);
  return records.map((one) => String(formatter.format(one))).join("");
}

describe("LogFormatter", () => {
  const pieces = [record("a", { partial: true }), record("b", { timestamp: "U" }), record("c")];

  it("gives what the container wrote", () => assert.equal(format(pieces), "ab\nc\n"));

  it("gives a line one time, that of its first piece", () => {
    assert.equal(format(pieces, { timestamps: true }), "T ab\nT c\n");
  });

  it("keeps the two streams' unfinished lines apart", () => {
    const mixed = [
      record("out", { partial: true }),
      record("err", { stream: "stderr" }),
      record("put", { timestamp: "U" }),
    ];
    assert.equal(format(mixed, { timestamps: true }), "T outT err\nput\n");
  });

  it("ends with no newline that was not written", () => {
    assert.equal(format([record("end", { partial: true })]), "end");
  });
});
