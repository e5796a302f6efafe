/**
 * A Containerfile's text as instructions: comments and continuations are gone, here-documents are taken
 * out. docs.docker.com/reference/dockerfile "Format", "Parser directives", "Here-Documents".
 */
import type { Heredoc } from "./instruction.ts";
import { invalidLine } from "./line-error.ts";
import { splitWords } from "./words.ts";

export interface RawInstruction {
  /** Where it begins, from 1. */
  readonly line: number;
  /** Upper case. */
  readonly keyword: string;
  /** What follows the keyword, its lines joined. */
  readonly rest: string;
  readonly heredocs: readonly (Heredoc & {
    /** The lines as they stand there, for a shell that reads them itself. */
    readonly raw: string;
  })[];
}

export interface RawFile {
  readonly escapeChar: string;
  readonly instructions: readonly RawInstruction[];
}

/** Throws INVALID_ARGUMENT, naming the line. `file` is only for the message. */
export function parseLines(text: string, file: string): RawFile {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const binary = lines.findIndex((line) => line.includes("\0"));
  if (binary >= 0) {
    const hint = "Is it a Containerfile?";
    throw invalidLine({ file, line: binary + 1 }, "there is a NUL byte in it", hint);
  }
  const escapeChar = parseEscape(lines, file);
  const reader = new LineReader(lines, escapeChar, file);
  const instructions: RawInstruction[] = [];
  for (let next = reader.next(); next; next = reader.next()) instructions.push(next);
  return { escapeChar, instructions };
}

const DIRECTIVE = /^\s*#\s*([a-z]+)\s*=\s*(.*?)\s*$/i;

/** Directives stand before everything else. */
function parseEscape(lines: readonly string[], file: string): string {
  for (const [at, line] of lines.entries()) {
    const [, name = "", value = ""] = DIRECTIVE.exec(line) ?? [];
    if (name === "" && !(at === 0 && line.startsWith("#!"))) return "\\";
    if (name.toLowerCase() !== "escape") continue;
    if (value === "\\" || value === "`") return value;
    throw invalidLine(
      { file, line: at + 1 },
      `the escape character is "${value}"`,
      "It can be \\ or `.",
    );
  }
  return "\\";
}

const HEREDOC_KEYWORDS: ReadonlySet<string> = new Set(["RUN", "COPY", "ADD"]);
const HEREDOC = /^\d*<<(-?)([^<]+)$/;

class LineReader {
  readonly #lines: readonly string[];
  readonly #file: string;
  readonly #escapeChar: string;
  readonly #continued: RegExp;
  #at = 0;

  constructor(lines: readonly string[], escapeChar: string, file: string) {
    this.#lines = lines;
    this.#file = file;
    this.#escapeChar = escapeChar;
    const quoted = `\\${escapeChar}`;
    this.#continued = new RegExp(`(^|[^${quoted}])${quoted}[ \\t]*$`);
  }

  next(): RawInstruction | undefined {
    while (this.#at < this.#lines.length && isIgnored(this.#lines[this.#at] ?? "")) this.#at += 1;
    if (this.#at >= this.#lines.length) return undefined;
    const line = this.#at + 1;
    const [, keyword = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(this.#joined().trim()) ?? [];
    const upper = keyword.toUpperCase();
    const document =
      upper === "ONBUILD" ? (/^\s*(\S+)/.exec(rest)?.[1] ?? "").toUpperCase() : upper;
    const heredocs = HEREDOC_KEYWORDS.has(document) ? this.#heredocs(rest, line) : [];
    return { line, keyword: upper, rest, heredocs };
  }

  /** A line with those that continue it; comments and empty lines between them do not count. */
  #joined(): string {
    let joined = "";
    while (this.#at < this.#lines.length) {
      const text = this.#lines[this.#at] ?? "";
      this.#at += 1;
      if (joined !== "" && isIgnored(text)) continue;
      if (!this.#continued.test(text)) return joined + text;
      joined += text.replace(/[ \t]+$/, "").slice(0, -1);
      // An instruction may begin with nothing but the escape character.
      if (joined === "") joined = " ";
    }
    return joined;
  }

  #heredocs(rest: string, line: number): RawInstruction["heredocs"] {
    return splitWords(rest, this.#escapeChar).flatMap((word) => {
      const [, strip, quotedName] = HEREDOC.exec(word) ?? [];
      if (quotedName === undefined) return [];
      const name = quotedName.replace(/^(["'])(.*)\1$/, "$2");
      return [this.#document(name, { line, strip: strip === "-", expand: name === quotedName })];
    });
  }

  #document(
    name: string,
    how: { readonly line: number; readonly strip: boolean; readonly expand: boolean },
  ): RawInstruction["heredocs"][number] {
    const start = this.#at;
    const stripped = (text: string) => (how.strip ? text.replace(/^\t+/, "") : text);
    for (; this.#at < this.#lines.length; this.#at += 1) {
      if (stripped(this.#lines[this.#at] ?? "") !== name) continue;
      const body = this.#lines.slice(start, this.#at);
      this.#at += 1;
      return {
        name,
        expand: how.expand,
        contents: body.map((text) => `${stripped(text)}\n`).join(""),
        raw: [...body, name].join("\n"),
      };
    }
    throw invalidLine(
      { file: this.#file, line: how.line },
      `the here-document "${name}" does not end`,
      `Write ${name} alone on a line behind it.`,
    );
  }
}

function isIgnored(line: string): boolean {
  return /^\s*(#|$)/.test(line);
}
