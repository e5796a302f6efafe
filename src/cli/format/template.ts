/**
 * Carries out a --format template on one row.
 */
import { TEMPLATE_FUNCTIONS } from "./template-functions.ts";
import {
  type Call,
  type Pipeline,
  parseTemplate,
  type TemplateNode,
  type Term,
  templateError,
} from "./template-syntax.ts";
import { isList, isMap, isRecord, type Value, type ValueRecord } from "./value.ts";

export interface Template {
  /** Throws INVALID_ARGUMENT for a field that the row does not have. */
  readonly render: (row: ValueRecord) => string;
  /** What each output stands under in a table: the heading of its first field. */
  readonly renderHeadings: (headings: Readonly<Record<string, string>>) => string;
}

export function compileTemplate(text: string): Template {
  const nodes = parseTemplate(text);
  return {
    render: (row) => new Run(text, row).nodes(nodes, row),
    renderHeadings: (headings) => nodes.map((node) => headingText(node, headings)).join(""),
  };
}

function headingText(node: TemplateNode, headings: Readonly<Record<string, string>>): string {
  if (node.kind === "text") return node.text;
  if (node.kind === "assign") return "";
  const name = firstField(node.value);
  if (name === undefined) return "";
  return headings[name] ?? name.replace(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
}

function firstField(pipeline: Pipeline): string | undefined {
  for (const term of pipeline.flatMap(({ terms }) => terms)) {
    const name = term.kind === "field" ? term.path.at(-1) : undefined;
    const inner = term.kind === "pipeline" ? firstField(term.value) : name;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

class Run {
  readonly #template: string;
  readonly #variables: Map<string, Value>;

  constructor(template: string, row: ValueRecord) {
    this.#template = template;
    this.#variables = new Map([["$", row]]);
  }

  nodes(nodes: readonly TemplateNode[], dot: Value): string {
    return nodes.map((node) => this.#node(node, dot)).join("");
  }

  #node(node: TemplateNode, dot: Value): string {
    switch (node.kind) {
      case "text":
        return node.text;
      case "output":
        return printed(this.#pipeline(node.value, dot));
      case "assign":
        this.#variables.set(node.name, this.#pipeline(node.value, dot));
        return "";
      case "if":
      case "with": {
        const value = this.#pipeline(node.value, dot);
        if (!isTrue(value)) return this.nodes(node.otherwise, dot);
        return this.nodes(node.body, node.kind === "with" ? value : dot);
      }
      case "range":
        return this.#range(node, dot);
    }
  }

  #range(node: Extract<TemplateNode, { kind: "range" }>, dot: Value): string {
    const value = this.#pipeline(node.value, dot);
    const entries = this.#entries(value);
    if (entries.length === 0) return this.nodes(node.otherwise, dot);
    return entries
      .map(([key, item]) => {
        if (node.keyName !== undefined) this.#variables.set(node.keyName, key);
        if (node.valueName !== undefined) this.#variables.set(node.valueName, item);
        return this.nodes(node.body, item);
      })
      .join("");
  }

  #entries(value: Value): readonly (readonly [Value, Value])[] {
    if (value === null) return [];
    if (isList(value)) return value.map((item, index) => [index, item]);
    if (isMap(value)) return [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    if (isRecord(value)) return Object.entries(value);
    throw templateError(this.#template, "range needs a list");
  }

  #pipeline(pipeline: Pipeline, dot: Value): Value {
    let last: Value | undefined;
    for (const call of pipeline) last = this.#call(call, dot, last);
    return last ?? null;
  }

  #call({ name, terms }: Call, dot: Value, piped: Value | undefined): Value {
    const values = terms.map((term) => this.#term(term, dot));
    if (piped !== undefined) values.push(piped);
    if (name === undefined) {
      if (piped !== undefined) throw templateError(this.#template, "a function is missing");
      return values[0] ?? null;
    }
    const called = TEMPLATE_FUNCTIONS[name];
    if (!called) {
      throw templateError(
        this.#template,
        `there is no function "${name}"`,
        `Functions are ${Object.keys(TEMPLATE_FUNCTIONS).join(", ")}.`,
      );
    }
    try {
      return called(values);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw templateError(this.#template, `"${name}" ${error.message}`);
    }
  }

  #term(term: Term, dot: Value): Value {
    switch (term.kind) {
      case "literal":
        return term.value;
      case "pipeline":
        return this.#pipeline(term.value, dot);
      case "field": {
        const start = term.variable === "" ? dot : this.#variables.get(term.variable);
        if (start === undefined) {
          throw templateError(this.#template, `there is no variable "${term.variable}"`);
        }
        return term.path.reduce<Value>((value, name) => this.#field(value, name), start);
      }
    }
  }

  #field(value: Value, name: string): Value {
    if (isMap(value)) return value.get(name) ?? "";
    if (isRecord(value)) {
      const field = Object.hasOwn(value, name) ? value[name] : undefined;
      if (field !== undefined) return field;
      const fields = Object.keys(value).map((known) => `.${known}`);
      throw templateError(
        this.#template,
        `there is no field ".${name}"`,
        `Fields are ${fields.join(", ")}.`,
      );
    }
    throw templateError(this.#template, `there is no field ".${name}" in a simple value`);
  }
}

function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  if (isRecord(value)) return true;
  return Boolean(value);
}

/** As Go prints values: lists in brackets, maps as map[key:value]. */
export function printed(value: Value): string {
  if (value === null) return "<nil>";
  if (isList(value)) return `[${value.map(printed).join(" ")}]`;
  if (isMap(value)) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${key}:${printed(item)}`).join(" ")}]`;
  }
  if (isRecord(value)) return `{${Object.values(value).map(printed).join(" ")}}`;
  return String(value);
}
