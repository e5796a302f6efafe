/**
 * A value in GVariant's text format, which is how an annotation carries a property:
 * "'text'", "true", "uint64 5", "@as ['a', 'b']", "[('a', <1>)]". GLib, "GVariant Text Format"; the part
 * of it that D-Bus can carry.
 */
import { TsrunError } from "../base/errors.ts";
import type { DbusValue, TypedValue } from "./unit-property.ts";

/** Throws INVALID_SPEC, saying where the text is wrong. */
export function parseVariant(text: string): TypedValue {
  const reader = new Reader(text);
  const node = readNode(reader);
  if (reader.peek() !== undefined) throw reader.wrong("nothing after the value");
  const signature = node.signature ?? infer(node, reader);
  return { signature, value: build(node, signature, reader) };
}

/** What is written, before it has a type. */
type Node = { readonly signature?: string | undefined } & (
  | { readonly kind: "number" | "string" | "boolean" | "bytes"; readonly text: string }
  | { readonly kind: "array" | "tuple"; readonly items: readonly Node[] }
  | { readonly kind: "dictionary"; readonly entries: readonly (readonly [Node, Node])[] }
  | { readonly kind: "variant"; readonly item: Node }
);

const TOKEN =
  /\s*(?:(@\S+)|(b?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))|([A-Za-z]\w*)|([+-]?(?:\.?\d)[\w.]*(?:(?<=[eE])[+-]\d+)?)|([[\](){}<>,:]))/sy;

type Token = {
  readonly kind: "type" | "quoted" | "word" | "number" | "mark";
  readonly text: string;
};
const KINDS = ["type", "quoted", "word", "number", "mark"] as const;

class Reader {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    const trimmed = text.trimEnd();
    for (let at = 0; at < trimmed.length; at = TOKEN.lastIndex) {
      TOKEN.lastIndex = at;
      const groups = TOKEN.exec(trimmed)?.slice(1) ?? [];
      const index = groups.findIndex((group) => group !== undefined);
      const kind = KINDS[index];
      if (kind === undefined) throw this.wrong(`not ${JSON.stringify(trimmed.slice(at, at + 10))}`);
      this.#tokens.push({ kind, text: groups[index] ?? "" });
    }
  }

  peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  take(): Token {
    const token = this.#tokens[this.#next];
    if (!token) throw this.wrong("more after its end");
    this.#next += 1;
    return token;
  }

  takeIf(mark: string): boolean {
    const found = this.peek()?.kind === "mark" && this.peek()?.text === mark;
    if (found) this.#next += 1;
    return found;
  }

  expect(mark: string): void {
    if (!this.takeIf(mark)) throw this.wrong(`"${mark}", not "${this.peek()?.text ?? ""}"`);
  }

  wrong(expected: string): TsrunError {
    return new TsrunError("INVALID_SPEC", `"${this.#text}" should have ${expected}`);
  }
}

/** The names of the types that may stand before a value. */
const TYPE_WORDS = new Map<string, string>([
  ...[["boolean", "b"] as const, ["byte", "y"] as const],
  ...[["int16", "n"] as const, ["uint16", "q"] as const],
  ...[["int32", "i"] as const, ["uint32", "u"] as const],
  ...[["int64", "x"] as const, ["uint64", "t"] as const],
  ...[["handle", "h"] as const, ["double", "d"] as const],
  ...[["string", "s"] as const, ["objectpath", "o"] as const, ["signature", "g"] as const],
]);

function readNode(reader: Reader): Node {
  const token = reader.take();
  switch (token.kind) {
    case "type":
      return annotated(token.text.slice(1), reader);
    case "word": {
      const signature = TYPE_WORDS.get(token.text);
      if (signature !== undefined) return annotated(signature, reader);
      if (token.text === "true" || token.text === "false") {
        return { kind: "boolean", text: token.text };
      }
      throw reader.wrong(`a value, not "${token.text}"`);
    }
    case "quoted":
      return token.text.startsWith("b")
        ? { kind: "bytes", text: token.text.slice(1) }
        : { kind: "string", text: token.text };
    case "number":
      return { kind: "number", text: token.text };
    case "mark":
      return readContainer(token.text, reader);
  }
}

function annotated(signature: string, reader: Reader): Node {
  const node = readNode(reader);
  if (node.signature !== undefined) throw reader.wrong("one type for a value");
  return { ...node, signature };
}

function readContainer(mark: string, reader: Reader): Node {
  switch (mark) {
    case "[":
      return { kind: "array", items: readItems("]", reader) };
    case "(":
      return { kind: "tuple", items: readItems(")", reader) };
    case "<": {
      const item = readNode(reader);
      reader.expect(">");
      return { kind: "variant", item };
    }
    case "{":
      return { kind: "dictionary", entries: readEntries(reader) };
    default:
      throw reader.wrong(`a value, not "${mark}"`);
  }
}

function readItems(end: string, reader: Reader): readonly Node[] {
  const items: Node[] = [];
  while (!reader.takeIf(end)) {
    items.push(readNode(reader));
    if (!reader.takeIf(",")) {
      reader.expect(end);
      break;
    }
  }
  return items;
}

function readEntries(reader: Reader): readonly (readonly [Node, Node])[] {
  const entries: (readonly [Node, Node])[] = [];
  while (!reader.takeIf("}")) {
    const key = readNode(reader);
    reader.expect(":");
    entries.push([key, readNode(reader)]);
    if (!reader.takeIf(",")) {
      reader.expect("}");
      break;
    }
  }
  return entries;
}

function infer(node: Node, reader: Reader): string {
  if (node.signature !== undefined) return node.signature;
  switch (node.kind) {
    case "number":
      return isDouble(node.text) ? "d" : "i";
    case "string":
      return "s";
    case "boolean":
      return "b";
    case "bytes":
      return "ay";
    case "variant":
      return "v";
    case "tuple":
      return `(${node.items.map((item) => infer(item, reader)).join("")})`;
    case "array":
      return `a${common(node.items, reader)}`;
    case "dictionary": {
      const [keys, values] = [0, 1].map((at) => node.entries.map((entry) => entry[at] as Node));
      return `a{${common(keys ?? [], reader)}${common(values ?? [], reader)}}`;
    }
  }
}

function isDouble(text: string): boolean {
  return !/^[+-]?0x/i.test(text) && /[.eE]/.test(text);
}

/** Of all the items: one that says its type, or that is a fraction, speaks for the others. */
function common(items: readonly Node[], reader: Reader): string {
  const types = items.map((item) => infer(item, reader));
  const told = items.findIndex(({ signature }) => signature !== undefined);
  const type = told >= 0 ? types[told] : (types.find((found) => found === "d") ?? types[0]);
  if (type === undefined) throw reader.wrong('a type for what is empty, as "@as []"');
  return type;
}

/** Of integers: the least and the greatest value. */
const RANGES = new Map<string, readonly [bigint, bigint]>([
  ["y", [0n, 255n]],
  ["n", [-(2n ** 15n), 2n ** 15n - 1n]],
  ["q", [0n, 2n ** 16n - 1n]],
  ["i", [-(2n ** 31n), 2n ** 31n - 1n]],
  ["u", [0n, 2n ** 32n - 1n]],
  ["h", [0n, 2n ** 32n - 1n]],
  ["x", [-(2n ** 63n), 2n ** 63n - 1n]],
  ["t", [0n, 2n ** 64n - 1n]],
]);

function build(node: Node, signature: string, reader: Reader): DbusValue {
  if (node.signature !== undefined && node.signature !== signature) {
    throw reader.wrong(`values of one type, not ${node.signature} beside ${signature}`);
  }
  const mismatch = () => reader.wrong(`a value of type ${signature}`);
  switch (node.kind) {
    case "number":
      return buildNumber(node.text, signature, mismatch);
    case "boolean":
      if (signature !== "b") throw mismatch();
      return node.text === "true";
    case "string":
      if (!/^[sog]$/.test(signature)) throw mismatch();
      return unquote(node.text, mismatch);
    case "bytes":
      if (signature !== "ay") throw mismatch();
      return Buffer.from(`${unquote(node.text, mismatch)}\0`, "latin1");
    case "variant": {
      if (signature !== "v") throw mismatch();
      const inner = infer(node.item, reader);
      return { signature: inner, value: build(node.item, inner, reader) };
    }
    case "array":
    case "tuple":
      return buildItems(node, signature, reader);
    case "dictionary": {
      const [key, value, ...more] = membersOf(signature, "a{", "}");
      if (key === undefined || value === undefined || more.length > 0) throw mismatch();
      return node.entries.map(([k, v]) => [build(k, key, reader), build(v, value, reader)]);
    }
  }
}

function buildNumber(text: string, signature: string, mismatch: () => TsrunError): DbusValue {
  if (signature === "d") {
    const value = Number(text);
    if (!Number.isFinite(value)) throw mismatch();
    return value;
  }
  const [least, greatest] = RANGES.get(signature) ?? [1n, 0n];
  const value = parseInteger(text);
  if (value === undefined || value < least || value > greatest) throw mismatch();
  return signature === "x" || signature === "t" ? value : Number(value);
}

/** C's notations: 0x1f, 017, 31. */
function parseInteger(text: string): bigint | undefined {
  const [, sign, hex, octal, decimal] =
    /^([+-]?)(?:0x([\da-f]+)|0([0-7]+)|(0|[1-9]\d*))$/i.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const digits = hex === undefined ? (octal === undefined ? decimal : `0o${octal}`) : `0x${hex}`;
  const value = BigInt(digits ?? "0");
  return sign === "-" ? -value : value;
}

function buildItems(
  node: Extract<Node, { readonly kind: "array" | "tuple" }>,
  signature: string,
  reader: Reader,
): DbusValue {
  const { kind, items } = node;
  const types =
    kind === "tuple" ? membersOf(signature, "(", ")") : membersOf(signature, "a", "").slice(0, 1);
  if (types.length === 0 || (kind === "tuple" && types.length !== items.length)) {
    throw reader.wrong(`a value of type ${signature}`);
  }
  const values = items.map((item, index) =>
    build(item, types[kind === "tuple" ? index : 0] ?? "", reader),
  );
  return signature === "ay" ? Uint8Array.from(values as number[]) : values;
}

/** The complete types between the ends of a container's signature; none if it is another one's. */
function membersOf(signature: string, start: string, end: string): readonly string[] {
  if (!signature.startsWith(start) || !signature.endsWith(end)) return [];
  const members: string[] = [];
  let rest = signature.slice(start.length, signature.length - end.length);
  while (rest !== "") {
    const length = typeLength(rest);
    if (length === 0) return [];
    members.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return members;
}

const CLOSING = new Map([
  ["(", ")"],
  ["{", "}"],
]);

/** Of the first complete type; 0 for none. */
function typeLength(text: string): number {
  const [first = ""] = text;
  if (first === "a") {
    const element = typeLength(text.slice(1));
    return element === 0 ? 0 : 1 + element;
  }
  const closing = CLOSING.get(first);
  if (closing === undefined) return /[bynqiuxthdsogv]/.test(first) ? 1 : 0;
  let length = 1;
  while (text[length] !== closing) {
    const member = typeLength(text.slice(length));
    if (member === 0) return 0;
    length += member;
  }
  return length + 1;
}

const ESCAPES = new Map([
  ...[["a", "\x07"] as const, ["b", "\b"] as const, ["f", "\f"] as const],
  ...[["n", "\n"] as const, ["r", "\r"] as const, ["t", "\t"] as const, ["v", "\v"] as const],
]);

function unquote(text: string, mismatch: () => TsrunError): string {
  return text
    .slice(1, -1)
    .replaceAll(
      /\\(?:u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|(.))/gis,
      (_all, short?: string, long?: string, octal?: string, char = "") => {
        const hex = short ?? long;
        if (hex !== undefined) {
          const code = Number.parseInt(hex, 16);
          if (code > 0x10ffff) throw mismatch();
          return String.fromCodePoint(code);
        }
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
        return ESCAPES.get(char) ?? char;
      },
    );
}
