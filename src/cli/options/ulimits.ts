/**
 * --ulimit: "NAME=SOFT[:HARD]".
 */
import type { OciRlimit } from "../../spec/index.ts";
import { invalidValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";

const FLAG = "--ulimit";

/** getrlimit(2). */
const NAMES: readonly string[] = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
];

/** -1 and "unlimited" are no limit; without HARD both are SOFT. "host" keeps the caller's: undefined. */
export function parseUlimit(text: string): OciRlimit | undefined {
  if (text === "host") return undefined;
  const { key, value } = splitKeyValue(text);
  const name = key.toLowerCase().replace(/^rlimit_/, "");
  if (value === undefined) {
    throw invalidValue(FLAG, text, "it is not NAME=SOFT[:HARD]", "Write it as nofile=1024:4096.");
  }
  if (!NAMES.includes(name)) {
    throw invalidValue(FLAG, text, `there is no limit "${key}"`, `Known are ${NAMES.join(", ")}.`);
  }
  const [softText = "", hardText = softText, ...rest] = value.split(":");
  if (rest.length > 0) {
    throw invalidValue(FLAG, text, "it is not NAME=SOFT[:HARD]", "Write it as nofile=1024:4096.");
  }
  const soft = parseBound(text, softText);
  const hard = parseBound(text, hardText);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw invalidValue(
      FLAG,
      text,
      "the soft limit is above the hard limit",
      "Write the smaller one first.",
    );
  }
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

function parseBound(text: string, bound: string): number {
  if (bound === "-1" || bound === "unlimited") return -1;
  const value = /^\d+$/.test(bound) ? Number(bound) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw invalidValue(
    FLAG,
    text,
    `"${bound}" is not a limit`,
    "Give whole numbers, or -1 for no limit.",
  );
}
