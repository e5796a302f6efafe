import type { ExitStatus } from "../runtime/index.ts";
import type { ExitRecord } from "./records.ts";

const SIGKILL = 9;

/** What the record says; one without a word on it stands for a container that was killed. */
export function exitStatusOf({
  exitCode,
  signal,
}: Pick<ExitRecord, "exitCode" | "signal">): ExitStatus {
  if (exitCode !== null) return { kind: "exited", code: exitCode };
  return { kind: "killed", signal: signal ?? SIGKILL };
}
