import { invalidValue } from "./invalid-value.ts";

const POWERS: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };
const SIZE = /^(\d+(?:\.\d+)?|\.\d+) ?([kmgtp]?)(?:i?b)?$/i;

/**
 * A size in bytes: a number, fractions allowed, and b, k, m, g, t or p in either case, with "b" or
 * "ib" after it or not; every unit counts in 1024s, as podman's do ("1.5g", "512MiB", "4096").
 */
export function parseSize(flag: string, text: string): number {
  const match = SIZE.exec(text.trim());
  const power = POWERS[match?.[2]?.toLowerCase() ?? "none"];
  if (match?.[1] === undefined || power === undefined) {
    throw invalidValue(flag, text, "it is not a size", SIZE_HINT);
  }
  const bytes = Math.trunc(Number(match[1]) * 1024 ** power);
  if (!Number.isSafeInteger(bytes)) {
    throw invalidValue(flag, text, "it is more than 8 PiB", SIZE_HINT);
  }
  return bytes;
}

const SIZE_HINT = "Give a number and a unit: b, k, m or g, such as 512m or 1.5g.";

/** Like parseSize, where "-1" and "0" mean "no limit"; that is -1. */
export function parseSizeOrUnlimited(flag: string, text: string): number {
  if (text.trim() === "-1") return -1;
  const bytes = parseSize(flag, text);
  return bytes === 0 ? -1 : bytes;
}
