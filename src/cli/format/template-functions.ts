/**
 * The functions of --format templates: those of text/template and podman that people use.
 * A wrong argument throws a TypeError that completes "FUNCTION …".
 */
import { isList, isMap, isRecord, toJson, type Value } from "./value.ts";

type TemplateFunction = (values: readonly Value[]) => Value;

export const TEMPLATE_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  json: ([value = null]) => toJson(value),
  upper: ([value]) => text(value).toUpperCase(),
  lower: ([value]) => text(value).toLowerCase(),
  title: ([value]) => text(value).replace(/\b\w/g, (letter) => letter.toUpperCase()),
  len: ([value = null]) => lengthOf(value),
  join: ([list = null, separator = ""]) => {
    if (!isList(list)) throw new TypeError("needs a list");
    return list.map((item) => text(item)).join(text(separator));
  },
  split: ([value, separator]) => text(value).split(text(separator)),
  truncate: ([value, length]) => text(value).slice(0, number(length)),
  pad: ([value, before, after]) =>
    " ".repeat(number(before)) + text(value) + " ".repeat(number(after)),
  index: ([value = null, ...keys]) => keys.reduce<Value>(indexInto, value),
  println: (values) => `${values.map((value) => text(value)).join(" ")}\n`,
  print: (values) => values.map((value) => text(value)).join(""),
  printf: ([format, ...values]) => printf(text(format), values),
  eq: ([first, ...others]) => others.some((other) => equal(first, other)),
  ne: ([first, second]) => !equal(first, second),
  lt: ([first, second]) => compare(first, second) < 0,
  le: ([first, second]) => compare(first, second) <= 0,
  gt: ([first, second]) => compare(first, second) > 0,
  ge: ([first, second]) => compare(first, second) >= 0,
  not: ([value]) => !truth(value),
  and: (values) => values.find((value) => !truth(value)) ?? values.at(-1) ?? null,
  or: (values) => values.find(truth) ?? values.at(-1) ?? null,
};

function text(value: Value | undefined): string {
  if (value === undefined || value === null) return "";
  if (isList(value) || isMap(value) || isRecord(value)) return toJson(value);
  return String(value);
}

function number(value: Value | undefined): number {
  const result = Number(value);
  if (!Number.isInteger(result) || result < 0) throw new TypeError("needs a number");
  return result;
}

function truth(value: Value | undefined): boolean {
  if (value === undefined || value === null) return false;
  return isList(value) || isMap(value) ? lengthOf(value) > 0 : Boolean(value);
}

function lengthOf(value: Value): number {
  if (isMap(value)) return value.size;
  if (isRecord(value)) return Object.keys(value).length;
  if (isList(value) || typeof value === "string") return value.length;
  throw new TypeError("needs something that has a length");
}

function indexInto(value: Value, key: Value): Value {
  if (isMap(value)) return value.get(text(key)) ?? "";
  if (isRecord(value)) {
    const name = text(key);
    const field = Object.hasOwn(value, name) ? value[name] : undefined;
    if (field === undefined) throw new TypeError(`finds no field "${name}"`);
    return field;
  }
  if (!isList(value)) throw new TypeError("needs a list or map");
  const item = value[number(key)];
  if (item === undefined) throw new TypeError(`finds nothing at ${text(key)}`);
  return item;
}

function equal(a: Value | undefined, b: Value | undefined): boolean {
  return typeof a === typeof b ? a === b : text(a) === text(b);
}

function compare(a: Value | undefined, b: Value | undefined): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  return Number(a) - Number(b);
}

/** %s, %v, %d, %q and %% with a width: "%-20s". */
function printf(format: string, values: readonly Value[]): string {
  const left = [...values];
  return format.replace(/%(-?)(\d*)([svdq%])/g, (_all, minus: string, width: string, verb) => {
    if (verb === "%") return "%";
    const value = left.shift();
    const shown = verb === "q" ? JSON.stringify(text(value)) : text(value);
    return minus === "" ? shown.padStart(Number(width)) : shown.padEnd(Number(width));
  });
}
