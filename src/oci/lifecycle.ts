/** Which command a container's status allows, and how runc says no: engines look for these words. */
import { TsrunError } from "../base/errors.ts";
import type { Status } from "./status.ts";

type Refusals = Readonly<Partial<Record<Status, string>>>;

const NOT_RUNNING = "container not running";
const NOT_PAUSED = "container not paused";

const REFUSALS = {
  start: {
    creating: "cannot start a container in the creating state",
    running: "cannot start an already running container",
    paused: "cannot start a container in the paused state",
    stopped: "cannot start a container that has stopped",
  },
  kill: { creating: NOT_RUNNING, stopped: NOT_RUNNING },
  exec: {
    creating: "cannot exec in a container that is being created",
    stopped: "cannot exec in a stopped container",
    paused: "cannot exec in a paused container (use --ignore-paused to override)",
  },
  pause: { creating: NOT_RUNNING, paused: NOT_RUNNING, stopped: NOT_RUNNING },
  resume: { creating: NOT_PAUSED, created: NOT_PAUSED, running: NOT_PAUSED, stopped: NOT_PAUSED },
} satisfies Readonly<Record<string, Refusals>>;

/** Throws WRONG_STATE. */
export function checkLifecycle(command: keyof typeof REFUSALS, status: Status): void {
  const refusal = (REFUSALS[command] as Refusals)[status];
  if (refusal !== undefined) throw new TsrunError("WRONG_STATE", refusal);
}
