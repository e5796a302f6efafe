import type { ExitStatus } from "../runtime/index.ts";
import type { AttachEnd } from "./attach/index.ts";
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

/** What an attachment's end says of the container's; undefined if it says nothing. */
export function exitOfAttachment(end: AttachEnd): ExitStatus | undefined {
  return end.kind === "exited" || end.kind === "killed" ? end : undefined;
}
