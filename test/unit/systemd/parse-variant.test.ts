import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseVariant } from "../../../src/systemd/parse-variant.ts";

const typed = (signature: string, value: unknown) => ({ signature, value });

describe("parseVariant", () => {
  const cases: readonly (readonly [string, ReturnType<typeof typed>])[] = [
    ["'text'", typed("s", "text")],
    [`"it's"`, typed("s", "it's")],
    ["'it\\'s\\n\\u00e9'", typed("s", "it's\né")],
    ["true", typed("b", true)],
    ["false", typed("b", false)],
    ["5", typed("i", 5)],
    ["-5", typed("i", -5)],
    ["0x1f", typed("i", 31)],
    ["017", typed("i", 15)],
    ["1.5", typed("d", 1.5)],
    ["1e-3", typed("d", 0.001)],
    ["uint64 18446744073709551615", typed("t", 18446744073709551615n)],
    ["int64 -1", typed("x", -1n)],
    ["byte 255", typed("y", 255)],
    ["@t 7", typed("t", 7n)],
    ["objectpath '/a/b'", typed("o", "/a/b")],
    ["['a', 'b']", typed("as", ["a", "b"])],
    ["@as []", typed("as", [])],
    ["@ay [1, 2]", typed("ay", new Uint8Array([1, 2]))],
    ["b'ab'", typed("ay", Buffer.from("ab\0"))],
    ["[uint64 1, 2]", typed("at", [1n, 2n])],
    ["[1, 2.5]", typed("ad", [1, 2.5])],
    ["<uint32 3>", typed("v", typed("u", 3))],
    [
      "{'a': <1>, 'b': <'x'>}",
      typed("a{sv}", [
        ["a", typed("i", 1)],
        ["b", typed("s", "x")],
      ]),
    ],
    ["[('/dev/null', 'rw')]", typed("a(ss)", [["/dev/null", "rw"]])],
    ["@a(st) [('/dev/sda', 1)]", typed("a(st)", [["/dev/sda", 1n]])],
    ["  [ 'a' ,'b' ] ", typed("as", ["a", "b"])],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text}`, () => assert.deepEqual(parseVariant(text), expected));
  }

  const wrong = [
    "",
    "'open",
    "text",
    "[]",
    "{}",
    "byte 256",
    "uint32 -1",
    "2147483648",
    "1.5.2",
    "[1, 'a']",
    "@s 5",
    "@as ['a'",
    "@t @t 5",
    "5 6",
    "<1",
    "{'a' 1}",
    "08",
    "uint64 1e400",
    "@( 1",
    "$",
  ];
  for (const text of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseVariant(text), { code: "INVALID_SPEC" }));
  }
});
