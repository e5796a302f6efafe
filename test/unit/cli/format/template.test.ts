import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TsrunError } from "../../../../src/base/errors.ts";
import { compileTemplate } from "../../../../src/cli/format/template.ts";
import type { ValueRecord } from "../../../../src/cli/format/value.ts";

const ROW: ValueRecord = {
  ID: "0123456789ab",
  Names: "web",
  Pid: 42,
  Running: true,
  Paused: false,
  Nothing: null,
  Labels: new Map([
    ["b", "2"],
    ["a", "1"],
  ]),
  State: { Status: "running", ExitCode: 0 },
  Mounts: [
    { Type: "bind", Destination: "/a" },
    { Type: "tmpfs", Destination: "/b" },
  ],
  Args: ["x", "y z"],
  Big: 12345678901234567890n,
};

const render = (template: string) => compileTemplate(template).render(ROW);

function refuses(template: string, message: string | RegExp): void {
  assert.throws(
    () => render(template),
    (error) => {
      assert.ok(error instanceof TsrunError, String(error));
      assert.equal(error.code, "INVALID_ARGUMENT");
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
  );
}

describe("--format templates", () => {
  for (const [template, expected] of [
    ["{{.ID}} {{.Names}}", "0123456789ab web"],
    ["{{ .ID }}\\t{{.Names}}\\n", "0123456789ab\tweb\n"],
    ["plain", "plain"],
    ["{{.State.Status}}={{.State.ExitCode}}", "running=0"],
    ["{{json .State}}", '{"Status":"running","ExitCode":0}'],
    ["{{json .Labels}}", '{"b":"2","a":"1"}'],
    ["{{.State | json}}", '{"Status":"running","ExitCode":0}'],
    ["{{.Labels}}", "map[a:1 b:2]"],
    ["{{.Labels.a}}{{.Labels.missing}}", "1"],
    ['{{index .Labels "b"}}', "2"],
    ["{{index .Args 1}}", "y z"],
    ["{{.Args}}", "[x y z]"],
    ["{{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}", "bind:/a tmpfs:/b "],
    ["{{range $k, $v := .Labels}}{{$k}}={{$v}},{{end}}", "a=1,b=2,"],
    ["{{range $i, $m := .Mounts}}{{$i}}{{$m.Destination}}{{$.Names}} {{end}}", "0/aweb 1/bweb "],
    ["{{range .Nothing}}x{{else}}none{{end}}", "none"],
    ["{{if .Running}}up{{else}}down{{end}}", "up"],
    ["{{if .Paused}}p{{else if .Running}}r{{else}}n{{end}}", "r"],
    ["{{if and .Running (not .Paused)}}yes{{end}}", "yes"],
    ['{{if eq .Names "web"}}it{{end}}', "it"],
    ["{{if gt .Pid 41}}big{{end}}", "big"],
    ["{{with .State}}{{.Status}}{{end}}", "running"],
    ["{{upper .Names}} {{.Names | title}}", "WEB Web"],
    ['{{join .Args "-"}}', "x-y z"],
    ['{{join (split "a,b" ",") "+"}}', "a+b"],
    ["{{len .Args}}{{len .Names}}{{len .Labels}}", "232"],
    ['{{printf "%-5s|%d|%q" .Names .Pid .Names}}', 'web  |42|"web"'],
    ["{{println .Names}}", "web\n"],
    ["{{truncate .ID 4}}", "0123"],
    ["a {{- .Names -}} b", "awebb"],
    ["{{/* nothing */}}x", "x"],
    ["{{$n := .Names}}{{$n}}!", "web!"],
    ["{{json .Nothing}}{{json .Running}}{{json .Names}}", 'nulltrue"web"'],
    ["{{`raw \\\\t`}}", "raw \\\t"],
    ["{{.Big}}", "12345678901234567890"],
  ] as const) {
    it(`renders ${template}`, () => assert.equal(render(template), expected));
  }

  it("refuses unknown fields and lists the known ones", () => {
    assert.throws(() => render("{{.State.Sttus}}"), {
      message: 'invalid value "{{.State.Sttus}}" for --format: there is no field ".Sttus"',
      hint: "Fields are .Status, .ExitCode.",
    });
    refuses("{{.constructor}}", /there is no field "\.constructor"/);
    refuses("{{.Names.X}}", /in a simple value/);
  });

  it("refuses what it does not understand", () => {
    refuses("{{.ID", /"{{" is not closed/);
    refuses("{{}}", /"{{}}" is empty/);
    refuses("{{if .ID}}x", /{{end}} is missing/);
    refuses("{{end}}", /closes nothing/);
    refuses("{{frob .ID}}", /there is no function "frob"/);
    refuses("{{.ID .Names}}", /a function is missing/);
    refuses("{{(.ID}}", /"\(" is not closed/);
    refuses("{{.ID ? 1}}", /cannot be understood/);
    refuses("{{$x}}", /there is no variable "\$x"/);
    refuses("{{range .Pid}}{{end}}", /range needs a list/);
    refuses("{{index .Args 9}}", /"index" finds nothing at 9/);
    refuses("{{len .Pid}}", /"len" needs something/);
  });

  it("never fails but with a TsrunError, whatever is typed", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "{{",
        "}}",
        "{{.ID}}",
        "if ",
        "range ",
        "end",
        "else",
        ".",
        "$",
        "|",
        "(",
        ")",
      ),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        try {
          render(pieces.join(""));
        } catch (error) {
          assert.ok(error instanceof TsrunError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives text without actions back as it is", () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !/{{|\\/.test(text)),
        (text) => assert.equal(render(text), text),
      ),
    );
  });

  it("makes headings of the fields' names", () => {
    const template = compileTemplate("{{.ID}}\t{{.CreatedAt}}\t{{.Labels.app}}");
    assert.equal(template.renderHeadings({ ID: "CONTAINER ID" }), "CONTAINER ID\tCREATED AT\tAPP");
  });
});
