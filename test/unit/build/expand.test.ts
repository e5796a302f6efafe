// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a Containerfile
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { expandWord, expandWords } from "../../../src/build/expand.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  A: "1",
  EMPTY: "",
  PATH: "/usr/local/bin",
  LIST: "80 443/udp",
};
const lookup = (name: string) => VARIABLES[name];

/** What the shell of docker's reference makes of them. */
const WORDS: readonly (readonly [word: string, expanded: string])[] = [
  ["$A", "1"],
  ["x${A}y$B.", "x1y."],
  ["\\$A", "$A"],
  ["$", "$"],
  ["'$A'", "$A"],
  ['"$A b"', "1 b"],
  ['"\\$A \\x"', "$A \\x"],
  ["a\\ b", "a b"],
  ["${B:-d}", "d"],
  ["${EMPTY:-d}", "d"],
  ["${EMPTY-d}", ""],
  ["${B-$A}", "1"],
  ["${B:-${C:-x}}", "x"],
  ["${A:+y}", "y"],
  ["${EMPTY:+y}", ""],
  ["${EMPTY+y}", "y"],
  ["${B+y}", ""],
  ["${A:?no}", "1"],
  ["${PATH#*/}", "usr/local/bin"],
  ["${PATH##*/}", "bin"],
  ["${PATH%/*}", "/usr/local"],
  ["${PATH%%/*}", ""],
  ["${PATH/l/L}", "/usr/Local/bin"],
  ["${PATH//l/L}", "/usr/LocaL/bin"],
  ["${B}", ""],
];

describe("expanding a word", () => {
  for (const [word, expanded] of WORDS) {
    it(`makes ${JSON.stringify(expanded)} of ${word}`, () => {
      assert.equal(expandWord(word, lookup, { escapeChar: "\\" }), expanded);
    });
  }

  it("knows the other escape character", () => {
    assert.equal(expandWord("`$A\\b", lookup, { escapeChar: "`" }), "$A\\b");
  });

  it("leaves quotes in a here-document", () => {
    const options = { escapeChar: "\\", quotes: false };
    assert.equal(expandWord("'$A' \\$A \\n", lookup, options), "'1' $A \\n");
  });

  it("makes several words of one variable", () => {
    assert.deepEqual(expandWords("$LIST", lookup, { escapeChar: "\\" }), ["80", "443/udp"]);
  });

  it("refuses what cannot be meant", () => {
    const expand = (word: string) => () => expandWord(word, lookup, { escapeChar: "\\" });
    assert.throws(expand("${B:?is needed}"), /B: is needed/);
    assert.throws(expand("${A"), /does not end/);
    assert.throws(expand("${A!x}"), /no substitution/);
    assert.throws(expand("'a"), /not closed/);
    assert.throws(expand('"a'), /not closed/);
    assert.throws(expand("${}"), /names no variable/);
  });
});
