/**
 * One instruction's words, by its keyword. docs.docker.com/reference/dockerfile; Containerfile(5).
 */
import type { CommandForm, Flags, Heredoc, Instruction } from "./instruction.ts";
import { invalidLine, type LinePlace } from "./line-error.ts";
import type { RawInstruction } from "./parse-lines.ts";
import { splitWords } from "./words.ts";

interface Context {
  readonly escapeChar: string;
  readonly place: LinePlace;
}

interface Given extends Context {
  readonly keyword: string;
  /** Behind the flags. */
  readonly rest: string;
  readonly flags: Flags;
  readonly heredocs: RawInstruction["heredocs"];
}

/** Throws INVALID_ARGUMENT with the line. */
export function parseInstruction(raw: RawInstruction, context: Context): Instruction {
  const parser = PARSERS[raw.keyword];
  if (!parser) {
    throw invalidLine(context.place, `"${raw.keyword}" is no instruction`, KNOWN);
  }
  const allowed = FLAGS[raw.keyword];
  const { flags, rest } = allowed
    ? takeFlags(raw.rest, context.escapeChar)
    : { flags: [], rest: raw.rest };
  checkFlags(raw.keyword, { flags, allowed: allowed ?? [], context });
  if (rest === "") throw invalidLine(context.place, `${raw.keyword} has no arguments`);
  return parser({ ...context, keyword: raw.keyword, rest, flags, heredocs: raw.heredocs });
}

type Parser = (given: Given) => Instruction;

const PARSERS: Readonly<Record<string, Parser>> = {
  FROM: parseFrom,
  ARG: parseArg,
  RUN: ({ rest, flags, heredocs }) => ({
    ...{ keyword: "RUN", command: parseRun(rest, heredocs), flags },
    heredocs: isScript(rest, heredocs) ? heredocs.map(withoutRaw) : [],
  }),
  COPY: (given) => parseCopy(given, "COPY"),
  ADD: (given) => parseCopy(given, "ADD"),
  ENV: (given) => ({ keyword: "ENV", pairs: parsePairs(given) }),
  LABEL: (given) => ({ keyword: "LABEL", pairs: parsePairs(given) }),
  WORKDIR: ({ rest }) => ({ keyword: "WORKDIR", word: rest }),
  USER: ({ rest }) => ({ keyword: "USER", word: rest }),
  STOPSIGNAL: ({ rest }) => ({ keyword: "STOPSIGNAL", word: rest }),
  EXPOSE: ({ rest, escapeChar }) => ({
    ...{ keyword: "EXPOSE", words: splitWords(rest, escapeChar), quoted: true },
  }),
  VOLUME: ({ rest, escapeChar }) => {
    const json = parseJsonStrings(rest);
    return { keyword: "VOLUME", words: json ?? splitWords(rest, escapeChar), quoted: !json };
  },
  CMD: ({ rest }) => ({ keyword: "CMD", command: parseCommand(rest) }),
  ENTRYPOINT: ({ rest }) => ({ keyword: "ENTRYPOINT", command: parseCommand(rest) }),
  SHELL: parseShell,
  HEALTHCHECK: parseHealthcheck,
  ONBUILD: parseOnbuild,
  MAINTAINER: ({ rest }) => ({ keyword: "MAINTAINER", author: rest }),
};

const KNOWN = `Instructions are ${Object.keys(PARSERS).sort().join(", ")}.`;

/** What flags are there for; a keyword that is missing takes none, and its words may begin with "--". */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  FROM: ["platform"],
  RUN: ["mount", "network", "security"],
  COPY: ["from", "chown", "chmod", "link", "parents", "exclude"],
  ADD: ["chown", "chmod", "link", "checksum", "keep-git-dir", "exclude", "unpack"],
  HEALTHCHECK: ["interval", "timeout", "start-period", "start-interval", "retries"],
};

function takeFlags(
  text: string,
  escapeChar: string,
): { readonly flags: Flags; readonly rest: string } {
  const flags: { name: string; value: string }[] = [];
  let rest = text;
  while (rest.startsWith("--")) {
    const [word = ""] = splitWords(rest, escapeChar);
    rest = rest.slice(word.length).trimStart();
    if (word === "--") break;
    const [, name = "", value = "true"] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    flags.push({ name, value });
  }
  return { flags, rest };
}

function checkFlags(
  keyword: string,
  {
    flags,
    allowed,
    context,
  }: { readonly flags: Flags; readonly allowed: readonly string[]; readonly context: Context },
): void {
  const unknown = flags.find(({ name }) => !allowed.includes(name));
  if (unknown === undefined) return;
  const known = allowed.map((name) => `--${name}`).join(", ");
  const problem = `${keyword} has no option --${unknown.name}`;
  throw invalidLine(context.place, problem, `It has ${known}.`);
}

function parseFrom({ rest, flags, escapeChar, place }: Given): Instruction {
  const [image = "", as, name, ...more] = splitWords(rest, escapeChar);
  const isNamed = as?.toUpperCase() === "AS" && name !== undefined;
  if (more.length > 0 || (as !== undefined && !isNamed)) {
    throw invalidLine(place, "FROM is not followed by IMAGE or IMAGE AS NAME");
  }
  if (name !== undefined && !/^[a-z][a-z0-9._-]*$/i.test(name)) {
    const hint = "Use letters, digits, points, underscores and dashes, and begin with a letter.";
    throw invalidLine(place, `"${name}" cannot be a stage's name`, hint);
  }
  const platform = flags.at(-1)?.value;
  return {
    ...{ keyword: "FROM", image },
    ...(name === undefined ? {} : { name }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function parseArg({ rest, escapeChar, place }: Given): Instruction {
  const args = splitWords(rest, escapeChar).map((word) => {
    const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === "" || /["']/.test(name)) {
      throw invalidLine(place, `"${word}" is no argument`, "Write ARG NAME or ARG NAME=DEFAULT.");
    }
    return { name, ...(value === undefined ? {} : { value }) };
  });
  return { keyword: "ARG", args };
}

/** NAME=VALUE words, or the old form NAME VALUE, in which the value is the rest of the line. */
function parsePairs({ keyword, rest, escapeChar, place }: Given): {
  readonly name: string;
  readonly value: string;
}[] {
  const words = splitWords(rest, escapeChar);
  const [first = ""] = words;
  if (!first.includes("=")) {
    const value = rest.slice(first.length).trim();
    if (value !== "") return [{ name: first, value }];
    throw invalidLine(place, `${keyword} has no value for "${first}"`, "Write NAME=VALUE.");
  }
  return words.map((word) => {
    const [, name = "", value] = /^((?:"[^"]*"|'[^']*'|[^=])*)=(.*)$/s.exec(word) ?? [];
    if (value !== undefined && name !== "") return { name, value };
    const hint = "Write NAME=VALUE, with quotes around what has spaces.";
    throw invalidLine(place, `"${word}" is not NAME=VALUE`, hint);
  });
}

function parseCopy(given: Given, keyword: "COPY" | "ADD"): Instruction {
  const { rest, flags, escapeChar, place, heredocs } = given;
  const json = parseJsonStrings(rest);
  const words = json ?? splitWords(rest, escapeChar);
  const target = words.at(-1);
  const sources = words.slice(0, -1);
  if (target === undefined || sources.length === 0) {
    throw invalidLine(place, `${keyword} needs a source and a target`);
  }
  return {
    ...{ keyword, flags, sources, target },
    quoted: json === undefined,
    heredocs: heredocs.map(withoutRaw),
  };
}

function withoutRaw({ name, contents, expand }: RawInstruction["heredocs"][number]): Heredoc {
  return { name, contents, expand };
}

/** `RUN <<EOF` alone: the document is the script. Else a shell is given all of it as it stands. */
function isScript(rest: string, heredocs: RawInstruction["heredocs"]): boolean {
  return heredocs.length === 1 && /^<<-?\S+$/.test(rest.trim());
}

function parseRun(rest: string, heredocs: RawInstruction["heredocs"]): CommandForm {
  const [only] = heredocs;
  if (!only) return parseCommand(rest);
  if (isScript(rest, heredocs)) return { form: "shell", script: only.contents };
  return { form: "shell", script: [rest, ...heredocs.map(({ raw }) => raw)].join("\n") };
}

function parseCommand(text: string): CommandForm {
  const args = parseJsonStrings(text);
  return args ? { form: "exec", args } : { form: "shell", script: text };
}

/** undefined for what is no JSON array of strings: then it is shell form. */
function parseJsonStrings(text: string): readonly string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    const isStrings = Array.isArray(value) && value.every((item) => typeof item === "string");
    return isStrings ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseShell({ rest, place }: Given): Instruction {
  const args = parseJsonStrings(rest);
  if (args && args.length > 0) return { keyword: "SHELL", args };
  throw invalidLine(place, "SHELL is no JSON array", 'Write it as SHELL ["/bin/sh", "-c"].');
}

function parseHealthcheck({ rest, flags, place }: Given): Instruction {
  const [, kind = "", command = ""] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  if (kind.toUpperCase() === "NONE" && command === "") return { keyword: "HEALTHCHECK", flags };
  if (kind.toUpperCase() === "CMD" && command !== "") {
    return { keyword: "HEALTHCHECK", flags, command: parseCommand(command) };
  }
  throw invalidLine(place, `HEALTHCHECK ${kind} is not known`, "Write NONE, or CMD and a command.");
}

const NEVER_TRIGGERED: ReadonlySet<string> = new Set(["ONBUILD", "FROM", "MAINTAINER"]);

function parseOnbuild({ rest, place, heredocs, escapeChar }: Given): Instruction {
  const keyword = (/^\S+/.exec(rest)?.[0] ?? "").toUpperCase();
  if (NEVER_TRIGGERED.has(keyword)) {
    throw invalidLine(place, `ONBUILD cannot trigger ${keyword}`);
  }
  // Its mistakes are this file's, not those of the file that is built from the image.
  const words = rest.slice(keyword.length).trim();
  parseInstruction({ line: place.line, keyword, rest: words, heredocs }, { escapeChar, place });
  const trigger = [rest, ...heredocs.map(({ raw }) => raw)].join("\n");
  return { keyword: "ONBUILD", trigger };
}
