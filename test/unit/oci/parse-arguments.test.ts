import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FlagSpec, parseArguments } from "../../../src/oci/parse-arguments.ts";

const FLAGS: readonly FlagSpec[] = [
  { name: "bundle", short: "b", kind: "value", usage: "" },
  { name: "no-pivot", kind: "flag", usage: "" },
  { name: "env", short: "e", kind: "list", usage: "" },
];

function parse(...words: string[]) {
  return parseArguments(words, FLAGS, { interspersed: true });
}

describe("parseArguments", () => {
  it("takes a value behind '=', as the next word, by its short name, and with one dash", () => {
    for (const words of [
      ["--bundle=/b"],
      ["--bundle", "/b"],
      ["-b", "/b"],
      ["-bundle", "/b"],
      ["-bundle=/b"],
    ]) {
      assert.equal(parse(...words).flags.value("bundle"), "/b", words.join(" "));
    }
  });

  it("knows long flags with a single dash, and booleans as Go spells them", () => {
    assert.equal(parse("-no-pivot").flags.flag("no-pivot"), true);
    assert.equal(parse("--no-pivot=false").flags.flag("no-pivot"), false);
    assert.equal(parse("--no-pivot=T").flags.flag("no-pivot"), true);
    assert.throws(() => parse("--no-pivot=maybe"), /invalid boolean value "maybe" for -no-pivot/);
  });

  it("collects a list and keeps the last of the others; an empty value is none", () => {
    const { flags } = parse("-e", "A=1", "--env=B=2", "-b", "/a", "-b", "/b");
    assert.deepEqual(flags.list("env"), ["A=1", "B=2"]);
    assert.equal(flags.value("bundle"), "/b");
    assert.equal(parse("--bundle=").flags.value("bundle"), undefined);
  });

  it("finds flags behind operands, but not where the operands are another program's", () => {
    assert.deepEqual(parse("id", "-no-pivot").operands, ["id"]);
    const through = parseArguments(["id", "ls", "-e", "-x"], FLAGS, { interspersed: false });
    assert.deepEqual(through.operands, ["id", "ls", "-e", "-x"]);
  });

  it("takes '-' for an operand and ends the flags at '--'", () => {
    assert.deepEqual(parse("-", "--", "-no-pivot").operands, ["-", "-no-pivot"]);
  });

  it("refuses in Go's words", () => {
    assert.throws(() => parse("--nope"), /^TsrunError: flag provided but not defined: -nope$/);
    assert.throws(() => parse("--bundle"), /^TsrunError: flag needs an argument: -bundle$/);
  });
});
