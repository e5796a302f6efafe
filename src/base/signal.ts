/**
 * Signals as people write them. Linux's numbers, the same on both supported architectures.
 */
import { constants } from "node:os";
import { TsrunError } from "./errors.ts";

const LAST_SIGNAL = 64;
/** What glibc and musl leave of the real-time signals: 32 to 34 belong to the C library. */
const SIGRTMIN = 34;

/**
 * The number of "SIGTERM", "term", "15", "RTMIN+3" or "SIGRTMAX-1".
 * Throws INVALID_ARGUMENT for anything else. signal(7).
 */
export function parseSignal(text: string): number {
  const name = text.trim().toUpperCase();
  const number = /^\d+$/.test(name) ? Number(name) : numberOf(name.replace(/^SIG/, ""));
  if (number !== undefined && number >= 1 && number <= LAST_SIGNAL) return number;
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" is not a signal`, {
    hint: "Write a name as `kill -l` prints it (TERM, SIGHUP, RTMIN+3) or a number from 1 to 64.",
  });
}

function numberOf(name: string): number | undefined {
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (!realTime) return (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  const [, end, sign, distance = "0"] = realTime;
  const offset = sign === "-" ? -Number(distance) : Number(distance);
  const number = (end === "MIN" ? SIGRTMIN : LAST_SIGNAL) + offset;
  return number >= SIGRTMIN ? number : undefined;
}

/** "SIGTERM" for 15, "SIGRTMIN+3" for 37. */
export function signalName(number: number): string {
  const named = Object.entries(constants.signals).find(([, value]) => value === number);
  if (named) return named[0];
  return number >= SIGRTMIN ? `SIGRTMIN+${number - SIGRTMIN}` : `SIG${number}`;
}
