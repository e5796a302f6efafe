/**
 * What templates and JSON output are made of. An object is a record whose fields are known: asking for
 * another is an error. A Map has the keys that somebody gave it, as labels do.
 */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | ValueRecord;

export interface ValueRecord {
  readonly [field: string]: Value;
}

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isRecord(value: Value): value is ValueRecord {
  return typeof value === "object" && value !== null && !isMap(value) && !isList(value);
}

export function toMap(entries: Readonly<Record<string, string>> | undefined): Value {
  return new Map(Object.entries(entries ?? {}));
}

/** Maps as objects, whole numbers of any size as numbers. */
export function toJson(value: Value, indent = 0): string {
  return JSON.stringify(value, replaceForJson, indent);
}

function replaceForJson(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (typeof value === "bigint") return Number(value);
  return value;
}
