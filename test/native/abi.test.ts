/**
 * native/plan.h and src/plan/abi.ts say the same numbers: a C program prints the header's, by the
 * names that each constant of abi.ts must have there. A constant that is missing on either side fails.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import * as abi from "../../src/plan/abi.ts";
import { WIRE } from "../../src/plan/wire.ts";
import { NATIVE } from "./stage.ts";

const HEADER_TEXT = readFileSync(join(NATIVE, "plan.h"), "utf8");

/** "logPath" → "LOG_PATH"; "openat2" stays one word. */
function upper(name: string): string {
  return name.replace(/([A-Z])/g, "_$1").toUpperCase();
}

function lower(name: string): string {
  return upper(name).toLowerCase();
}

function prefixed(prefix: string, table: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(table).map(([name, value]) => [prefix + upper(name), value]);
}

function offsets(struct: string, table: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(table).map(([name, value]) => [
    `offsetof(struct ${struct}, ${lower(name)})`,
    value,
  ]);
}

/** C expression → abi.ts's value, by the export that it belongs to. */
const EXPECTED: Readonly<Record<keyof typeof abi, readonly [string, number][]>> = {
  PLAN_MAGIC: [["PLAN_MAGIC", abi.PLAN_MAGIC]],
  PLAN_VERSION: [["PLAN_VERSION", abi.PLAN_VERSION]],
  HEADER_SIZE: [["sizeof(struct plan_header)", abi.HEADER_SIZE]],
  OP_SIZE: [["sizeof(struct plan_op)", abi.OP_SIZE]],
  RELAY_SIZE: [["sizeof(struct plan_relay)", abi.RELAY_SIZE]],
  REPORT_SIZE: [["sizeof(struct report)", abi.REPORT_SIZE]],
  RELAY_FRAME_SIZE: [["sizeof(struct relay_frame)", abi.RELAY_FRAME_SIZE]],
  RELAY_MAX_PAYLOAD: [["RELAY_MAX_PAYLOAD", abi.RELAY_MAX_PAYLOAD]],
  SLOT_COUNT: [["SLOT_COUNT", abi.SLOT_COUNT]],
  NO_OP: [["REPORT_NO_OP", abi.NO_OP]],
  STAGE_FDS: prefixed("FD_", abi.STAGE_FDS),
  PLAN_FLAGS: prefixed("PLAN_", abi.PLAN_FLAGS),
  PHASES: prefixed("PHASE_", abi.PHASES),
  HEADER: offsets("plan_header", abi.HEADER),
  RELAY: offsets("plan_relay", abi.RELAY),
  OP: offsets("plan_op", abi.OP),
  OP_FLAG_WARN: [["OP_FLAG_WARN", abi.OP_FLAG_WARN]],
  REPORT: offsets("report", abi.REPORT),
  REPORT_KINDS: prefixed("REPORT_", abi.REPORT_KINDS),
  MARKS: prefixed("MARK_", abi.MARKS),
  CONTROL_GO: [["CONTROL_GO", abi.CONTROL_GO.charCodeAt(0)]],
  RELAY_TYPES: prefixed("RELAY_", abi.RELAY_TYPES),
  CLD: prefixed("CLD_", abi.CLD),
};

const OP_KINDS: readonly [string, number][] = Object.entries(WIRE).map(([kind, { code }]) => [
  `OP_${upper(kind)}`,
  code,
]);

describe("the ABI between TypeScript and C", () => {
  let dir = "";
  let printed: ReadonlyMap<string, number> = new Map();

  before(() => {
    dir = mkdtempSync(join(tmpdir(), "tsrun-abi-"));
    const expressions = [...Object.values(EXPECTED).flat(), ...OP_KINDS].map(([c]) => c);
    printed = print(dir, expressions);
  });
  after(() => rmSync(dir, { recursive: true }));

  for (const [name, pairs] of Object.entries(EXPECTED)) {
    it(`has the header's ${name}`, () => {
      assert.ok(pairs.length > 0);
      for (const [expression, value] of pairs) {
        assert.equal(printed.get(expression), value, expression);
      }
    });
  }

  it("has the header's op kinds, every one", () => {
    for (const [expression, value] of OP_KINDS) {
      assert.equal(printed.get(expression), value, expression);
    }
    assert.deepEqual(OP_KINDS.map(([name]) => name).sort(), namesInEnum("op_kind", "OP_").sort());
  });

  it("knows every flag, report and mark of the header", () => {
    const compare = (table: keyof typeof EXPECTED, names: string[], without: string[] = []) => {
      const ours = EXPECTED[table].map(([name]) => name);
      assert.deepEqual(ours.sort(), names.filter((name) => !without.includes(name)).sort());
    };
    compare("PLAN_FLAGS", [...HEADER_TEXT.matchAll(/\b(PLAN_\w+) = 1 << /g)].map(group));
    compare("REPORT_KINDS", namesInEnum("report_kind", "REPORT_"));
    compare("MARKS", namesInEnum("report_phase", "MARK_"));
    compare("RELAY_TYPES", namesInEnum("relay_type", "RELAY_"));
    compare("PHASES", namesInEnum("plan_phase", "PHASE_"), ["PHASE_COUNT"]);
  });
});

function group(match: RegExpMatchArray): string {
  return match[1] ?? "";
}

/** The constants that `enum name { … }` gives a value. */
function namesInEnum(name: string, prefix: string): string[] {
  const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(HEADER_TEXT)?.[1] ?? "";
  const code = body.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(new RegExp(`\\b(${prefix}\\w+)\\s*=`, "g"))].map(group);
}

function print(dir: string, expressions: readonly string[]): ReadonlyMap<string, number> {
  const lines = expressions.map((text) => `\tprintf("%lld\\n", (long long)(${text}));`);
  const source = join(dir, "abi.c");
  writeFileSync(
    source,
    [
      "#include <signal.h>",
      "#include <stdio.h>",
      `#include "${join(NATIVE, "plan.h")}"`,
      "int main(void)\n{",
      ...lines,
      "\treturn 0;\n}\n",
    ].join("\n"),
  );
  const program = join(dir, "abi");
  execFileSync("gcc", ["-D_GNU_SOURCE", "-o", program, source], { stdio: "pipe" });
  const values = execFileSync(program, { encoding: "utf8" }).trim().split("\n").map(Number);
  assert.equal(values.length, expressions.length);
  return new Map(expressions.map((text, index) => [text, values[index] ?? Number.NaN]));
}
