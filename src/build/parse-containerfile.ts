/**
 * From a Containerfile's text to its stages. Nothing is resolved: a mistake is told with its line before
 * anything is built.
 */
import type { Arg, Containerfile, From, Instruction, StageText, Statement } from "./instruction.ts";
import { invalidLine } from "./line-error.ts";
import { parseInstruction } from "./parse-instruction.ts";
import { parseLines, type RawInstruction } from "./parse-lines.ts";

/** Throws INVALID_ARGUMENT, naming file and line. */
export function parseContainerfile(text: string, file: string): Containerfile {
  const { escapeChar, instructions } = parseLines(text, file);
  const globals: Statement<Arg>[] = [];
  const stages: { from: Statement<From>; statements: Statement[] }[] = [];
  for (const raw of instructions) {
    const place = { file, line: raw.line };
    const statement = {
      ...place,
      text: statementText(raw),
      instruction: parse(raw, escapeChar, file),
    };
    const stage = stages.at(-1);
    if (isFrom(statement)) stages.push({ from: statement, statements: [] });
    else if (stage) stage.statements.push(statement);
    else if (isArg(statement)) globals.push(statement);
    else {
      throw invalidLine(place, `${raw.keyword} stands before the first FROM`, "Begin with FROM.");
    }
  }
  if (stages.length === 0) {
    throw invalidLine({ file, line: 1 }, "there is no FROM", "Begin with FROM and a base image.");
  }
  return { globals, stages: checkNames(stages, file), escapeChar };
}

/** What a base image has to say: the instructions of its ONBUILD triggers. */
export function parseTriggers(triggers: readonly string[], line: number): readonly Statement[] {
  return triggers.flatMap((trigger) =>
    parseLines(trigger, "ONBUILD").instructions.map((raw) => ({
      line,
      text: statementText(raw),
      instruction: parse({ ...raw, line }, "\\", "ONBUILD"),
    })),
  );
}

function parse(raw: RawInstruction, escapeChar: string, file: string): Instruction {
  return parseInstruction(raw, { escapeChar, place: { file, line: raw.line } });
}

function statementText({ keyword, rest }: RawInstruction): string {
  return `${keyword} ${rest}`.replace(/\s+/g, " ").trim();
}

function isFrom(statement: Statement): statement is Statement<From> {
  return statement.instruction.keyword === "FROM";
}

function isArg(statement: Statement): statement is Statement<Arg> {
  return statement.instruction.keyword === "ARG";
}

function checkNames(stages: readonly StageText[], file: string): readonly StageText[] {
  const names = new Set<string>();
  for (const { from } of stages) {
    const name = from.instruction.name?.toLowerCase();
    if (name === undefined) continue;
    if (names.has(name)) {
      const place = { file, line: from.line };
      throw invalidLine(place, `another stage is called "${name}" already`, "Choose another name.");
    }
    names.add(name);
  }
  return stages;
}
