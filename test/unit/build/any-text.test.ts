// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a Containerfile
/** Whatever a file says: it is understood, or refused with a line; nothing else happens. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TsrunError } from "../../../src/base/errors.ts";
import { ExpandError, expandWord } from "../../../src/build/expand.ts";
import { globSource } from "../../../src/build/glob.ts";
import { IgnoreRules, parseIgnoreFile } from "../../../src/build/ignore.ts";
import { parseContainerfile } from "../../../src/build/parse-containerfile.ts";
import { planStages } from "../../../src/build/plan-stages.ts";
import { planSteps } from "../../../src/build/plan-steps.ts";

const KEYWORDS = (
  "FROM ARG RUN COPY ADD ENV LABEL WORKDIR USER EXPOSE VOLUME CMD ENTRYPOINT SHELL " +
  "HEALTHCHECK ONBUILD STOPSIGNAL MAINTAINER NOPE"
).split(" ");
const PIECES = [
  ...["a", "b/*", "=", '"', "'", "\\", "`", "$A", "${A", "}", ":-", "[", "]", ",", "<<EOF", "EOF"],
  ...[
    "\n",
    " ",
    "\t",
    "#",
    "--from=a",
    "--mount=type=cache,target=/x",
    "--chmod=9",
    "AS",
    "é",
    "\0",
  ],
];
const line = fc
  .tuple(fc.constantFrom(...KEYWORDS), fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }))
  .map(([keyword, pieces]) => `${keyword} ${pieces.join("")}`);
const containerfile = fc
  .array(fc.oneof(line, fc.string()), { maxLength: 8 })
  .map((lines) => `FROM a AS a\n${lines.join("\n")}`);

function plan(text: string): void {
  const file = parseContainerfile(text, "f");
  const { stages, globals } = planStages(file, { file: "f", buildArgs: {}, builtin: {} });
  for (const { statements } of stages) {
    planSteps({
      ...{ file: "f", escapeChar: file.escapeChar, statements, base: {}, globals },
      ...{ builtin: {}, buildArgs: {}, findSource: (name) => ({ kind: "image", name }) },
    });
  }
}

describe("any text", () => {
  it("is a Containerfile, or is refused with its line", () => {
    fc.assert(
      fc.property(containerfile, (text) => {
        try {
          plan(text);
        } catch (error) {
          assert.ok(error instanceof TsrunError, String(error));
          assert.match(error.message, /^f:\d+: /);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("is a word, or is refused", () => {
    const word = fc
      .array(fc.constantFrom(...PIECES, "${A%", "${A/", "?", "*"))
      .map((all) => all.join(""));
    fc.assert(
      fc.property(word, (text) => {
        try {
          expandWord(text, () => "value", { escapeChar: "\\" });
        } catch (error) {
          assert.ok(error instanceof ExpandError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("is a pattern", () => {
    const pattern = fc.array(
      fc.constantFrom("*", "?", "[", "]", "^", "!", "-", "z", "a", "\\", "/"),
    );
    fc.assert(
      fc.property(pattern, fc.string(), (pieces, text) => {
        const source = pieces.join("");
        new RegExp(globSource(source)).test(text);
        new IgnoreRules(parseIgnoreFile(source)).ignores(text);
      }),
      { numRuns: 2000 },
    );
  });
});
