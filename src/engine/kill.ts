import { hasErrno } from "../base/errors.ts";
import { parseSignal, signalName } from "../base/signal.ts";
import { kill } from "../ffi/index.ts";
import { killCgroup, readProcs } from "../runtime/index.ts";
import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { ContainerId } from "./records.ts";
import { signalProcess } from "./stop.ts";

export interface KillOptions {
  /** SIGKILL without it. */
  readonly signal?: string | number;
  /** Every process in the container, not only the first. */
  readonly all?: boolean;
}

const SIGKILL = 9;

/** Sends a signal to the container's first process. Returns its id. */
export async function killContainer(
  engine: Engine,
  ref: string,
  { signal = SIGKILL, all = false }: KillOptions = {},
): Promise<ContainerId> {
  const number = parseSignal(String(signal));
  return withContainer(engine, ref, async ({ config, status, state }) => {
    checkLifecycle("kill", status, config);
    if (all && state?.cgroup !== undefined) await signalAll(state.cgroup, number);
    else if (state?.init) signalProcess(state.init, number);
    recordEvent(engine, config, "kill", { signal: signalName(number) });
    return config.id;
  });
}

async function signalAll(cgroup: string, signal: number): Promise<void> {
  if (signal === SIGKILL) return killCgroup(cgroup);
  for (const pid of readProcs(cgroup, { recursive: true })) {
    if (pid === 0) continue; // outside our pid namespace: kill(2) with 0 would reach ourselves
    try {
      kill(pid, signal);
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error; // it ended meanwhile
    }
  }
}
