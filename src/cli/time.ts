import { parseLogTime } from "../engine/index.ts";

/** --since and --until as a Date: milliseconds are enough for a person. */
export function parseTime(flag: string, text: string): Date {
  const now = BigInt(Date.now()) * 1_000_000n;
  return new Date(Number(parseLogTime(text, { now, flag }) / 1_000_000n));
}
