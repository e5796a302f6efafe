/**
 * The syntax of --format templates: Go's text/template as far as podman's users need it. Text with
 * actions in {{ }}: fields, functions, pipelines, if/else, range and with.
 */
import { TsrunError } from "../../base/errors.ts";

export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly value: Pipeline }
  | { readonly kind: "assign"; readonly name: string; readonly value: Pipeline }
  | {
      readonly kind: "if" | "with";
      readonly value: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    }
  | {
      readonly kind: "range";
      readonly value: Pipeline;
      readonly keyName: string | undefined;
      readonly valueName: string | undefined;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** Calls, each of which gets the one before as its last argument. */
export type Pipeline = readonly Call[];

/** A function and its arguments; without a function a single term. */
export interface Call {
  readonly name: string | undefined;
  readonly terms: readonly Term[];
}

export type Term =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  /** "$x.A.B"; `variable` is "" for the dot and "$" for the whole row. */
  | { readonly kind: "field"; readonly variable: string; readonly path: readonly string[] }
  | { readonly kind: "pipeline"; readonly value: Pipeline };

/** Throws INVALID_ARGUMENT for anything else. "\t" and "\n" may be typed as two characters. */
export function parseTemplate(text: string): readonly TemplateNode[] {
  const parser = new TemplateParser(text);
  return parser.parse();
}

export function templateError(template: string, problem: string, hint?: string): TsrunError {
  return new TsrunError(
    "INVALID_ARGUMENT",
    `invalid value "${template}" for --format: ${problem}`,
    { hint: hint ?? 'Write fields as {{.ID}}, or use "json".', origin: "--format" },
  );
}

type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly words: readonly string[] };

class TemplateParser {
  readonly #template: string;
  readonly #pieces: Piece[];

  constructor(template: string) {
    this.#template = template;
    this.#pieces = this.#split();
  }

  parse(): readonly TemplateNode[] {
    const { nodes, ending } = this.#block();
    if (ending !== undefined) throw this.#error(`"{{${ending.join(" ")}}}" closes nothing`);
    return nodes;
  }

  #error(problem: string): TsrunError {
    return templateError(this.#template, problem);
  }

  /** Text and actions in turn; {{- and -}} take the white space beside them away. */
  #split(): Piece[] {
    const pieces: Piece[] = [];
    let rest = this.#template.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
    for (let open = rest.indexOf("{{"); open >= 0; open = rest.indexOf("{{")) {
      const close = rest.indexOf("}}", open);
      if (close < 0) throw this.#error('a "{{" is not closed');
      let text = rest.slice(0, open);
      let action = rest.slice(open + 2, close);
      rest = rest.slice(close + 2);
      if (/^-\s/.test(action)) {
        text = text.trimEnd();
        action = action.slice(1);
      }
      if (/\s-$/.test(action)) {
        rest = rest.trimStart();
        action = action.slice(0, -1);
      }
      pieces.push({ kind: "text", text });
      if (!/^\s*\/\*[\s\S]*\*\/\s*$/.test(action)) {
        pieces.push({ kind: "action", words: this.#words(action) });
      }
    }
    pieces.push({ kind: "text", text: rest });
    return pieces;
  }

  #words(action: string): readonly string[] {
    const word =
      /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|-?\d+(?:\.\d+)?|\$?\w*(?:\.\w+)+|\.|\$\w*|\w+|:=|[|(),])/y;
    const words: string[] = [];
    for (const end = action.trimEnd().length; word.lastIndex < end; ) {
      const at = word.lastIndex;
      const match = word.exec(action);
      if (match?.[1] === undefined) {
        throw this.#error(`"${action.slice(at).trim()}" cannot be understood`);
      }
      words.push(match[1]);
    }
    if (words.length === 0) throw this.#error('"{{}}" is empty');
    return words;
  }

  #block(): { nodes: TemplateNode[]; ending: readonly string[] | undefined } {
    const nodes: TemplateNode[] = [];
    for (let piece = this.#pieces.shift(); piece; piece = this.#pieces.shift()) {
      if (piece.kind === "text") {
        if (piece.text !== "") nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const [first = ""] = piece.words;
      if (first === "end" || first === "else") return { nodes, ending: piece.words };
      nodes.push(this.#node(first, piece.words));
    }
    return { nodes, ending: undefined };
  }

  #node(first: string, words: readonly string[]): TemplateNode {
    if (first === "if" || first === "with") {
      const value = this.#pipeline(words.slice(1));
      return { kind: first, value, ...this.#bodies() };
    }
    if (first === "range") return this.#range(words.slice(1));
    if (first.startsWith("$") && words[1] === ":=") {
      return { kind: "assign", name: first, value: this.#pipeline(words.slice(2)) };
    }
    return { kind: "output", value: this.#pipeline(words) };
  }

  #range(words: readonly string[]): TemplateNode {
    const at = words.indexOf(":=");
    const names = words.slice(0, Math.max(at, 0)).filter((word) => word !== ",");
    if (names.length > 2 || names.some((name) => !/^\$\w+$/.test(name))) {
      throw this.#error("range has wrong variables");
    }
    const [valueName, keyName] = names.toReversed();
    const value = this.#pipeline(words.slice(at + 1));
    return { kind: "range", value, keyName, valueName, ...this.#bodies() };
  }

  /** To {{end}}, with an {{else}} or {{else if}} on the way. */
  #bodies(): { body: readonly TemplateNode[]; otherwise: readonly TemplateNode[] } {
    const { nodes: body, ending } = this.#block();
    if (ending === undefined) throw this.#error("an {{end}} is missing");
    if (ending[0] === "end") return { body, otherwise: [] };
    if (ending[1] === "if") {
      const value = this.#pipeline(ending.slice(2));
      return { body, otherwise: [{ kind: "if", value, ...this.#bodies() }] };
    }
    const { nodes: otherwise, ending: end } = this.#block();
    if (end?.[0] !== "end") throw this.#error("an {{end}} is missing");
    return { body, otherwise };
  }

  #pipeline(words: readonly string[]): Pipeline {
    const calls: Call[] = [];
    let rest = words;
    for (;;) {
      const { terms, after } = this.#terms(rest);
      const name = terms[0]?.kind === "word" ? terms[0].word : undefined;
      const values = terms.flatMap((term, index) => {
        if (term.kind !== "word") return [term];
        if (index === 0) return [];
        throw this.#error(`"${term.word}" is no value`);
      });
      if (name === undefined && values.length !== 1) {
        throw this.#error(values.length === 0 ? "a value is missing" : "a function is missing");
      }
      calls.push({ name, terms: values });
      if (after.length === 0) return calls;
      rest = after.slice(1);
    }
  }

  /** Up to the next "|" of the same depth. */
  #terms(words: readonly string[]): { terms: (Term | Word)[]; after: readonly string[] } {
    const terms: (Term | Word)[] = [];
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? "";
      if (word === "|") return { terms, after: words.slice(at) };
      if (word === "(") {
        const close = this.#closing(words, at);
        terms.push({ kind: "pipeline", value: this.#pipeline(words.slice(at + 1, close)) });
        at = close;
      } else {
        terms.push(this.#term(word));
      }
    }
    return { terms, after: [] };
  }

  #closing(words: readonly string[], open: number): number {
    let depth = 0;
    for (let at = open; at < words.length; at++) {
      if (words[at] === "(") depth++;
      if (words[at] === ")" && --depth === 0) return at;
    }
    throw this.#error('a "(" is not closed');
  }

  #term(word: string): Term | Word {
    if (/^[.$]/.test(word)) {
      const [variable = "", ...path] = word.split(".");
      return { kind: "field", variable, path: path.filter((name) => name !== "") };
    }
    if (word.startsWith('"')) return { kind: "literal", value: this.#string(word) };
    if (word.startsWith("`")) return { kind: "literal", value: word.slice(1, -1) };
    if (/^-?\d/.test(word)) return { kind: "literal", value: Number(word) };
    if (word === "true" || word === "false") return { kind: "literal", value: word === "true" };
    if (word === "nil") return { kind: "literal", value: null };
    if (/^\w+$/.test(word)) return { kind: "word", word };
    throw this.#error(`"${word}" stands in a wrong place`);
  }

  #string(word: string): string {
    try {
      // A tab that was typed as \t has become one already; JSON wants it written out.
      return JSON.parse(word.replaceAll("\t", "\\t").replaceAll("\n", "\\n")) as string;
    } catch {
      throw this.#error(`${word} is no string`);
    }
  }
}

/** A name that stands for a function. */
interface Word {
  readonly kind: "word";
  readonly word: string;
}
