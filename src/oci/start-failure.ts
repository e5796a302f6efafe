/** Why a created container's program was not executed. */
import { TsrunError } from "../base/errors.ts";
import { errnoMeaning, errnoName } from "../ffi/index.ts";
import { WIRE } from "../plan/index.ts";
import { execError } from "../runtime/index.ts";
import { processFailure } from "./failure.ts";
import { type ContainerRecord, readProcessRecord } from "./records.ts";

/** `error` is an errno; `opKind` is the stage's word for the op that failed. native/plan.h: struct report. */
export interface ExecFailure {
  readonly error: number;
  readonly opKind: number;
}

export function startFailure(
  root: string,
  { id }: ContainerRecord,
  { error, opKind }: ExecFailure,
): unknown {
  const { process } = readProcessRecord(root, id);
  if (opKind === WIRE.exec.code) {
    return processFailure(execError(process.args[0] ?? "", error), process);
  }
  const reason = `${errnoMeaning(error).toLowerCase()} (${errnoName(error)})`;
  return new TsrunError("LAUNCH_FAILED", `unable to start container process: ${reason}`);
}
