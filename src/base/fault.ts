/**
 * Fault injection for the crash tests: every change to the host passes through `faultPoint()`, and
 * TSRUN_FAULT=step:N kills this process, as kill -9 would, at the N-th of them. test/e2e/faults counts
 * N up until a command gets through, so that no step is left out and none is left to chance.
 * (TSRUN_FAULT=op:N and stage:N do the same at the stage's N-th op: see the plan's `fault`.)
 */
import process from "node:process";

export type Fault =
  | { readonly kind: "step"; readonly at: number }
  /** The caller is killed before the stage's op. */
  | { readonly kind: "op"; readonly at: number }
  /** The stage itself is killed before its op. */
  | { readonly kind: "stage"; readonly at: number };

/** The fault that this process was started with, if any. */
export const requestedFault: Fault | undefined = parseFault(process.env["TSRUN_FAULT"]);

export function parseFault(text: string | undefined): Fault | undefined {
  const match = /^(step|op|stage):(\d+)$/.exec(text ?? "");
  if (!match) return undefined;
  return { kind: match[1] as Fault["kind"], at: Number(match[2]) };
}

let steps = 0;

/** Marks a point at which being killed must leave something that the next command can repair. */
export function faultPoint(): void {
  if (requestedFault?.kind !== "step") return;
  steps += 1;
  if (steps === requestedFault.at) process.kill(process.pid, "SIGKILL");
}
