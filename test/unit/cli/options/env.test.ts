import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseEnv, parseEnvFile, parseEnvHost } from "../../../../src/cli/options/env.ts";
import { parseLabel, parseLabelFile } from "../../../../src/cli/options/labels.ts";
import { refuses } from "./refuses.ts";

const HOST = { HOME: "/root", LC_ALL: "C", LC_TIME: "de", EMPTY: "" };

describe("parseEnv", () => {
  for (const [text, entries] of [
    ["A=1", [["A", "1"]]],
    ["A=", [["A", ""]]],
    ["A=b=c", [["A", "b=c"]]],
    ["HOME", [["HOME", "/root"]]],
    ["EMPTY", [["EMPTY", ""]]],
    ["MISSING", []],
    [
      "LC_*",
      [
        ["LC_ALL", "C"],
        ["LC_TIME", "de"],
      ],
    ],
    ["A=x*", [["A", "x*"]]],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(parseEnv("--env", text, HOST), entries));
  }
  it("takes all of the host's with --env-host", () =>
    assert.deepEqual(Object.fromEntries(parseEnvHost(HOST)), HOST));
  for (const text of ["", "=x"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseEnv("--env", text, HOST), "--env", text));
  }
});

describe("parseEnvFile", () => {
  it("takes lines literally: no quotes, no comments behind values, CRLF and BOM removed", () => {
    const text = '\uFEFFA=1\r\n# no\n\n  B= "x" # y \nHOME\nC=\nMISSING\n   #x\nD=a=b';
    assert.deepEqual(parseEnvFile("f", text, HOST), [
      ["A", "1"],
      ["B", ' "x" # y '],
      ["HOME", "/root"],
      ["C", ""],
      ["D", "a=b"],
    ]);
  });
  it("names the line that is wrong", () => {
    refuses(
      () => parseEnvFile("f", "A=1\nB C=2", HOST),
      "--env-file",
      "f",
      "line 2 is not NAME=value",
    );
    refuses(() => parseEnvFile("f", "=2", HOST), "--env-file", "f", "line 1 is not NAME=value");
  });
  it("reads back every value that has no line end", () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]*$/);
    const value = fc.string().filter((text) => !/[\r\n\0]/.test(text));
    fc.assert(
      fc.property(fc.dictionary(name, value), (variables) => {
        const text = Object.entries(variables)
          .map(([key, each]) => `${key}=${each}\n`)
          .join("");
        assert.deepEqual(Object.fromEntries(parseEnvFile("f", text, {})), { ...variables });
      }),
    );
  });
});

describe("labels", () => {
  it("have a value or none", () => {
    assert.deepEqual(parseLabel("--label", "a=b=c"), ["a", "b=c"]);
    assert.deepEqual(parseLabel("--label", "a"), ["a", ""]);
    assert.deepEqual(parseLabelFile("a=1\n# x\n\nb\r\n"), [
      ["a", "1"],
      ["b", ""],
    ]);
    refuses(() => parseLabel("--label", "=b"), "--label", "=b", "it has no key");
  });
});
