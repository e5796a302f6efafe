/**
 * Variables and quotes of one word, as a build knows them: $NAME, ${NAME}, ${NAME:-default},
 * ${NAME:+alternative}, ${NAME:?message}, each also without the colon, and ${NAME#prefix},
 * ${NAME%suffix}, ${NAME/from/to} with one or two of #, %, /.
 * docs.docker.com/reference/dockerfile "Environment replacement".
 */
import { globSource } from "./glob.ts";

/** What a variable holds; undefined for one that is not there. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  readonly escapeChar: string;
  /** false for text in which quotes and escapes are characters like others. */
  readonly quotes?: boolean;
}

/** A `${NAME:?message}` whose variable is missing, or a `${` that does not end. */
export class ExpandError extends Error {
  override readonly name = "ExpandError";
}

/** Throws ExpandError. */
export function expandWord(text: string, lookup: Lookup, options: ExpandOptions): string {
  return new Expansion(text, lookup, options).word();
}

/** Several words of what one variable may hold: EXPOSE $PORTS. */
export function expandWords(
  text: string,
  lookup: Lookup,
  options: ExpandOptions,
): readonly string[] {
  return expandWord(text, lookup, options)
    .split(/\s+/)
    .filter((word) => word !== "");
}

class Expansion {
  readonly #text: string;
  readonly #lookup: Lookup;
  readonly #escapeChar: string;
  readonly #quotes: boolean;
  readonly #options: ExpandOptions;
  #at = 0;

  constructor(text: string, lookup: Lookup, options: ExpandOptions) {
    this.#text = text;
    this.#lookup = lookup;
    this.#escapeChar = options.escapeChar;
    this.#quotes = options.quotes ?? true;
    this.#options = options;
  }

  word(): string {
    let result = "";
    while (this.#at < this.#text.length) result += this.#part();
    return result;
  }

  #part(): string {
    const char = this.#take();
    if (char === "$") return this.#variable();
    if (char === this.#escapeChar) return this.#escaped();
    if (!this.#quotes) return char;
    if (char === "'") return this.#singleQuoted();
    if (char === '"') return this.#doubleQuoted();
    return char;
  }

  #take(): string {
    const char = this.#text[this.#at] ?? "";
    this.#at += 1;
    return char;
  }

  #escaped(): string {
    if (this.#at >= this.#text.length) return this.#escapeChar;
    const next = this.#take();
    // In a here-document only what would otherwise mean something can be escaped.
    return this.#quotes || next === "$" || next === this.#escapeChar
      ? next
      : this.#escapeChar + next;
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw new ExpandError("a single quote is not closed");
    const quoted = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return quoted;
  }

  #doubleQuoted(): string {
    let result = "";
    while (this.#at < this.#text.length) {
      const char = this.#take();
      if (char === '"') return result;
      if (char === "$") result += this.#variable();
      else if (char === this.#escapeChar) result += this.#escapedInQuotes();
      else result += char;
    }
    throw new ExpandError("a double quote is not closed");
  }

  #escapedInQuotes(): string {
    const next = this.#take();
    return next === '"' || next === "$" || next === this.#escapeChar
      ? next
      : this.#escapeChar + next;
  }

  #variable(): string {
    if (this.#text[this.#at] === "{") {
      this.#at += 1;
      return this.#braced();
    }
    const name = this.#name();
    return name === "" ? "$" : (this.#lookup(name) ?? "");
  }

  #name(): string {
    const found = /^([A-Za-z_][A-Za-z0-9_]*|[0-9@*#])/.exec(this.#text.slice(this.#at))?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #braced(): string {
    const name = this.#name();
    if (name === "") throw new ExpandError(`"\${${this.#text.slice(this.#at)}" names no variable`);
    const operator = /^(:[-+?]|[-+?]|##?|%%?|\/\/?)/.exec(this.#text.slice(this.#at))?.[0] ?? "";
    this.#at += operator.length;
    const word = this.#untilBrace();
    if (operator === "" && word !== "") {
      throw new ExpandError(`"\${${name}${word}}" is no substitution`);
    }
    return substitute({ name, operator, word }, this.#lookup(name), (text) =>
      expandWord(text, this.#lookup, this.#options),
    );
  }

  #untilBrace(): string {
    const start = this.#at;
    for (let depth = 1; this.#at < this.#text.length; ) {
      const char = this.#take();
      if (char === this.#escapeChar) this.#at += 1;
      else if (char === "{") depth += 1;
      else if (char === "}") depth -= 1;
      if (depth === 0) return this.#text.slice(start, this.#at - 1);
    }
    throw new ExpandError(`"\${${this.#text.slice(start)}" does not end with }`);
  }
}

interface Substitution {
  readonly name: string;
  readonly operator: string;
  readonly word: string;
}

function substitute(
  { name, operator, word }: Substitution,
  value: string | undefined,
  expand: (text: string) => string,
): string {
  const isSet = value !== undefined && !(operator.startsWith(":") && value === "");
  switch (operator.replace(":", "")) {
    case "-":
      return isSet ? (value ?? "") : expand(word);
    case "+":
      return isSet ? expand(word) : "";
    case "?":
      if (isSet) return value ?? "";
      throw new ExpandError(`${name}: ${expand(word) || "is not set"}`);
    case "":
      return value ?? "";
    default:
      return replacePattern(value ?? "", operator, { word, expand });
  }
}

/** Of a greedy pattern the longest match counts, of the others the shortest. */
function replacePattern(
  value: string,
  operator: string,
  { word, expand }: { readonly word: string; readonly expand: (text: string) => string },
): string {
  const greedy = operator.length === 2;
  if (operator.startsWith("/")) {
    const [from = "", ...to] = word.split("/");
    const pattern = new RegExp(globSource(expand(from)), greedy ? "gs" : "s");
    const replacement = expand(to.join("/"));
    return value.replace(pattern, () => replacement);
  }
  const glob = globSource(expand(word), { lazy: !greedy });
  if (operator.startsWith("#")) return value.replace(new RegExp(`^(?:${glob})`, "s"), "");
  // The shortest suffix is behind the longest beginning.
  const kept = greedy ? "^(.*?)" : "^(.*)";
  return value.replace(new RegExp(`${kept}(?:${globSource(expand(word))})$`, "s"), "$1");
}
