/**
 * When the points of a command were passed, for `npm run bench`: with TSRUN_TIMINGS=FILE one line for
 * each is appended to the file as the program ends. Without it a point costs one comparison.
 */
import { appendFileSync } from "node:fs";
import process from "node:process";

interface Passed {
  readonly point: string;
  /** CLOCK_MONOTONIC, nanoseconds: the stage's clock too. */
  readonly timeNs: bigint;
}

const file = process.env["TSRUN_TIMINGS"];
const timeline: Passed[] | undefined = file ? [] : undefined;

/** Whether anybody wants to know. */
export const timed: boolean = timeline !== undefined;

export function passed(point: string, timeNs?: bigint): void {
  timeline?.push({ point, timeNs: timeNs ?? process.hrtime.bigint() });
}

if (file && timeline) {
  process.once("exit", () => {
    appendFileSync(file, timeline.map(({ point, timeNs }) => `${timeNs} ${point}\n`).join(""));
  });
}
