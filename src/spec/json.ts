/**
 * Reading of JSON that somebody else wrote: small readers that compose, each of which turns a value
 * into a type or says what is wrong and where. Go's conventions hold, in which engines write: null is
 * the same as absent.
 */
import { TsrunError } from "../base/errors.ts";

/** What was found beside the values: sentences about what was passed over. */
export type Warn = (sentence: string) => void;

/** `at` is the value's JSON path. Undefined counts as absent. */
export interface Reader<T> {
  (value: unknown, at: string, warn: Warn): T;
  /** What it would take as it is, told without a path: most of a profile's thousand names. */
  readonly accepts?: (value: unknown) => boolean;
}

/**
 * Like JSON.parse, but whole numbers that a double cannot hold become bigints.
 * Throws INVALID_SPEC that says where `name` is no JSON.
 */
export function parseJson(text: string, name: string): unknown {
  try {
    // The function is called for each value, which costs more than all the rest of the parsing.
    return MAYBE_LARGE.test(text) ? JSON.parse(text, exactly as Reviver) : JSON.parse(text);
  } catch (cause) {
    throw new TsrunError("INVALID_SPEC", `${name} is not JSON: ${(cause as Error).message}`, {
      hint: "It is cut off or was edited by hand; see the position.",
      cause,
    });
  }
}

const MAYBE_LARGE = /\d{16}/;

type Reviver = (key: string, value: unknown) => unknown;

/** Since ECMAScript 2025 a reviver sees the text that a number came from. */
function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

export function wrong(at: string, what: string, hint?: string): TsrunError {
  return new TsrunError("INVALID_SPEC", `${at} ${what}`, {
    origin: at,
    hint: hint ?? "See OCI's runtime specification, config.md and config-linux.md.",
  });
}

/** What a value is, for a sentence: short, and without control characters. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "bigint" ? String(value) : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function isText(value: unknown): boolean {
  return typeof value === "string" && !value.includes("\0");
}

/** Without NUL, at which the kernel would cut it. */
export const text: Reader<string> = Object.assign(
  (value: unknown, at: string): string => {
    if (typeof value !== "string") throw wrong(at, `must be a string, not ${shown(value)}`);
    if (value.includes("\0")) throw wrong(at, "must not contain a NUL character");
    return value;
  },
  { accepts: isText },
);

/** An empty string is as good as none. */
export const optionalText: Reader<string | undefined> = (value, at, warn) => {
  const found = text(value, at, warn);
  return found === "" ? undefined : found;
};

export const nonEmpty: Reader<string> = Object.assign(
  (value: unknown, at: string, warn: Warn): string => {
    const found = text(value, at, warn);
    if (found === "") throw wrong(at, "must not be empty");
    return found;
  },
  { accepts: (value: unknown): boolean => value !== "" && isText(value) },
);

export const absolutePath: Reader<string> = (value, at, warn) => {
  const found = text(value, at, warn);
  if (!found.startsWith("/")) throw wrong(at, `must be an absolute path, not ${shown(found)}`);
  return found;
};

export const flag: Reader<boolean> = (value, at) => {
  if (typeof value !== "boolean") throw wrong(at, `must be true or false, not ${shown(value)}`);
  return value;
};

/** A whole number. What is larger than 2^53 comes as the nearest double. */
export function integer(min: number, max: number): Reader<number> {
  return (value, at) => {
    const whole = typeof value === "bigint" || Number.isInteger(value);
    if (whole && (value as number) >= min && (value as number) <= max) return Number(value);
    throw wrong(at, `must be a whole number from ${min} to ${max}, not ${shown(value)}`);
  };
}

export const uint16 = integer(0, 0xffff);
export const uint32 = integer(0, 0xffff_ffff);
export const int32 = integer(-(2 ** 31), 2 ** 31 - 1);
export const int64 = integer(-(2 ** 63), 2 ** 63);
export const uint64 = integer(0, 2 ** 64);

/** All 64 bits, for what is not a quantity. */
export const bits64: Reader<number | bigint> = (value, at) => {
  const whole = typeof value === "bigint" || Number.isSafeInteger(value);
  const number = value as number | bigint;
  if (whole && number >= 0 && number < 2n ** 64n) return number;
  throw wrong(at, `must be a whole number of at most 64 bits, not ${shown(value)}`);
};

export function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  return (value, at, warn) => {
    const found = text(value, at, warn);
    if ((words as readonly string[]).includes(found)) return found as T;
    throw wrong(at, `must be one of ${words.join(", ")}, not ${shown(found)}`);
  };
}

export function list<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value, at, warn) => {
    if (!Array.isArray(value)) throw wrong(at, `must be an array, not ${shown(value)}`);
    const items: T[] = [];
    for (let index = 0; index < value.length; index += 1) {
      const taken = item.accepts?.(value[index]) === true;
      items.push(taken ? (value[index] as T) : item(value[index], `${at}[${index}]`, warn));
    }
    return items;
  };
}

/** An object whose keys are data. */
export function map<T>(
  item: Reader<T>,
  key: Reader<string> = text,
): Reader<Readonly<Record<string, T>>> {
  return (value, at, warn) => {
    const entries = Object.entries(asObject(value, at)).map(([name, entry]) => {
      const place = `${at}[${JSON.stringify(name)}]`;
      return [key(name, place, warn), item(entry, place, warn)] as const;
    });
    return Object.fromEntries(entries); // which makes own properties, of "__proto__" too
  };
}

type Fields = Readonly<Record<string, Reader<unknown>>>;

/** What `object` makes of its fields. */
type Read<R extends Fields, O extends Fields> = {
  readonly [K in keyof R]: Exclude<ReturnType<R[K]>, undefined>;
} & { readonly [K in keyof O]?: Exclude<ReturnType<O[K]>, undefined> };

/**
 * An object with these fields. What is in neither list is passed over with a warning: the
 * specification wants unknown properties ignored (config.md, "Extensibility").
 */
export function object<R extends Fields, O extends Fields>(
  required: R,
  optional: O,
): Reader<Read<R, O>> {
  const readers = new Map<string, Reader<unknown>>(Object.entries({ ...required, ...optional }));
  const names = Object.keys(required);
  return (value, at, warn) => {
    const result = readFields(asObject(value, at), readers, at, warn);
    for (const name of names) {
      if (result[name] === undefined) throw wrong(below(at, name), "is missing");
    }
    return result as Read<R, O>;
  };
}

function readFields(
  found: Readonly<Record<string, unknown>>,
  readers: ReadonlyMap<string, Reader<unknown>>,
  at: string,
  warn: Warn,
): Readonly<Record<string, unknown>> {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(found)) {
    const field = found[name];
    if (field === null || field === undefined) continue;
    const reader = readers.get(name);
    if (!reader) {
      warn(`${below(at, name)} is not known to tsrun and has no effect`);
      continue;
    }
    const taken = reader.accepts?.(field) === true;
    const read = taken ? field : reader(field, at === "" ? name : `${at}.${name}`, warn);
    if (read !== undefined) result[name] = read;
  }
  return result;
}

function asObject(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw wrong(at === "" ? "the configuration" : at, `must be an object, not ${shown(value)}`);
}

/** "linux.namespaces", and quoted where a name is no plain word. */
function below(at: string, name: string): string {
  if (!/^\w+$/.test(name)) return `${at}[${JSON.stringify(name)}]`;
  return at === "" ? name : `${at}.${name}`;
}
