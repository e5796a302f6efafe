/**
 * The command line as engines write it, which is Go's: a flag has one dash or two, its value follows
 * after "=" or as the next word, and "--" ends the flags. No argument parser for Node takes `-no-pivot`
 * as one flag, and each would take longer to load than a command takes to run.
 */
import { TsrunError } from "../base/errors.ts";

export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  readonly kind: "flag" | "value" | "list";
  readonly usage: string;
}

export class Flags {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values.get(name)?.at(-1) === "true";
  }

  /** The last one counts; an empty one is as good as none. */
  value(name: string): string | undefined {
    const value = this.#values.get(name)?.at(-1);
    return value === "" ? undefined : value;
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

export interface ParsedArguments {
  readonly flags: Flags;
  readonly operands: readonly string[];
}

/**
 * With `interspersed`, flags may also stand behind operands; without it the first operand ends them.
 * Throws INVALID_ARGUMENT in Go's words.
 */
export function parseArguments(
  words: readonly string[],
  specs: readonly FlagSpec[],
  { interspersed }: { readonly interspersed: boolean },
): ParsedArguments {
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as string;
    if (word === "--") {
      operands.push(...words.slice(index + 1));
      break;
    }
    if (isFlag(word)) {
      index += takeFlag(word, words[index + 1], specs, values);
      continue;
    }
    operands.push(...(interspersed ? [word] : words.slice(index)));
    if (!interspersed) break;
  }
  return { flags: new Flags(values), operands };
}

/** How many of the words that follow belong to it. */
function takeFlag(
  word: string,
  next: string | undefined,
  specs: readonly FlagSpec[],
  values: Map<string, string[]>,
): number {
  const { name, value } = splitFlag(word);
  const spec = specs.find((known) => known.name === name || known.short === name);
  if (!spec) throw wrong(`flag provided but not defined: -${name}`);
  if (spec.kind === "flag") {
    add(values, spec.name, parseBoolean(value ?? "true", name));
    return 0;
  }
  const given = value ?? next;
  if (given === undefined) throw wrong(`flag needs an argument: -${name}`);
  add(values, spec.name, given);
  return value === undefined ? 1 : 0;
}

/** A dash alone is an operand (stdin). */
function isFlag(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function splitFlag(word: string): { readonly name: string; readonly value: string | undefined } {
  const text = word.replace(/^--?/, "");
  const at = text.indexOf("=");
  if (at === -1) return { name: text, value: undefined };
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

/** strconv.ParseBool. */
const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function parseBoolean(text: string, name: string): string {
  if (TRUE.has(text)) return "true";
  if (FALSE.has(text)) return "false";
  throw wrong(`invalid boolean value ${JSON.stringify(text)} for -${name}: parse error`);
}

function add(values: Map<string, string[]>, name: string, value: string): void {
  const before = values.get(name);
  if (before) before.push(value);
  else values.set(name, [value]);
}

function wrong(message: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", message);
}
