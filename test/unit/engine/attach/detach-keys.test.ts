import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  DEFAULT_DETACH_KEYS,
  DetachScanner,
  parseDetachKeys,
} from "../../../../src/engine/attach/detach-keys.ts";

describe("parseDetachKeys", () => {
  const good: readonly (readonly [string, readonly number[]])[] = [
    [DEFAULT_DETACH_KEYS, [16, 17]],
    ["", []],
    ["q", [0x71]],
    ["a,b,C", [0x61, 0x62, 0x43]],
    ["ctrl-a", [1]],
    ["ctrl-Z", [26]],
    ["ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", [0, 27, 28, 29, 30, 31]],
    ["ctrl-p,~", [16, 0x7e]],
  ];
  for (const [text, keys] of good) {
    it(`reads ${JSON.stringify(text)}`, () => assert.deepEqual(parseDetachKeys(text), keys));
  }

  for (const text of [
    "ctrl-",
    "ctrl-pq",
    "ctrl-1",
    "pq",
    "p,",
    ",",
    "ctrl-é",
    "é",
    " ",
    "Ctrl-p",
  ]) {
    it(`refuses ${JSON.stringify(text)} and says how to write it`, () => {
      assert.throws(() => parseDetachKeys(text), {
        code: "INVALID_ARGUMENT",
        hint: /ctrl-p,ctrl-q/,
      });
    });
  }
});

/** Types the input in pieces; what passes, and where it detached. */
function type(keys: readonly number[], input: readonly number[], cuts: readonly number[]) {
  const scanner = new DetachScanner(keys);
  const passed: number[] = [];
  let at = 0;
  for (const cut of [...cuts, input.length]) {
    const { data, detached } = scanner.push(Uint8Array.from(input.slice(at, at + cut)));
    passed.push(...data);
    if (detached) return { passed, detached };
    at += cut;
    if (at >= input.length) break;
  }
  passed.push(...scanner.flush());
  return { passed, detached: false };
}

/** The same by looking for the sequence in the whole input. */
function expected(keys: readonly number[], input: readonly number[]) {
  const text = Buffer.from(input).toString("latin1");
  const at = keys.length === 0 ? -1 : text.indexOf(Buffer.from(keys).toString("latin1"));
  return at < 0
    ? { passed: [...input], detached: false }
    : { passed: input.slice(0, at), detached: true };
}

describe("DetachScanner", () => {
  it("detaches at the first whole sequence and passes all before it, however it is cut", () => {
    const byte = fc.integer({ min: 0, max: 2 }); // few values: many beginnings of the sequence
    fc.assert(
      fc.property(
        fc.array(byte, { maxLength: 5 }),
        fc.array(byte, { maxLength: 60 }),
        fc.array(fc.nat(7)),
        (keys, input, cuts) => assert.deepEqual(type(keys, input, cuts), expected(keys, input)),
      ),
      { numRuns: 2000 },
    );
  });

  it("holds back a beginning only until it is clear", () => {
    const scanner = new DetachScanner(parseDetachKeys("ctrl-p,ctrl-q"));
    assert.deepEqual([...scanner.push(Buffer.from("ls\x10")).data], [...Buffer.from("ls")]);
    assert.deepEqual([...scanner.push(Buffer.from("x")).data], [0x10, 0x78]);
    assert.deepEqual(scanner.push(Buffer.from("\x10")).data.length, 0);
    assert.deepEqual([...scanner.flush()], [0x10]);
    assert.deepEqual(scanner.push(Buffer.from("\x11")), {
      data: Buffer.from("\x11"),
      detached: false,
    });
  });

  it("passes everything where nothing detaches", () => {
    const scanner = new DetachScanner([]);
    assert.deepEqual(scanner.push(Buffer.from("\x10\x11")).data, Buffer.from("\x10\x11"));
  });

  it("takes a paste of megabytes in its stride", () => {
    const scanner = new DetachScanner(parseDetachKeys("ctrl-p,ctrl-q"));
    const paste = Buffer.alloc(1_000_000, "some text\n");
    assert.ok(scanner.push(paste).data.equals(paste));
  });
});
