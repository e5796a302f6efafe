/**
 * Making sense of what a killed command, a killed supervisor or a reboot left. Each remnant of
 * status.ts has one outcome, and doing it twice is the same as doing it once.
 */
import { closeSync } from "node:fs";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { faultPoint } from "../base/fault.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import type { ContainerState, ExitRecord, ProcessIdentity } from "./records.ts";
import { endsWithin, releaseRun, settleSupervisor } from "./release.ts";
import type { ObservedContainer } from "./status.ts";
import { restorePreviousExit } from "./store/exit.ts";
import { openProcess } from "./store/process-identity.ts";
import { writeState } from "./store/state.ts";
import { inStore } from "./store/store-error.ts";

/** The caller holds the container's lock. */
export async function repairRemnant(engine: Engine, seen: ObservedContainer): Promise<void> {
  const { config, state, remnant } = seen;
  switch (remnant) {
    case "none":
      return;
    case "stale":
      return releaseRun(engine, config.id, undefined);
    case "ended":
      // It has written its last word and only tidies up.
      await settleSupervisor(state?.supervisor);
      return releaseRun(engine, config.id, state);
    case "interrupted":
      return repairInterrupted(engine, seen);
    case "lost":
      // First the record: with it, a repair that is interrupted is only one that has "ended".
      recordLostRun(engine, seen);
      return releaseRun(engine, config.id, state);
  }
}

/** A stage that waits for its starter undoes everything at once when the starter dies. */
const UNDO_MS = 2_000;

/**
 * The command that started it was killed. Before the release its stage gives up by itself; after it,
 * the container runs as if nothing had happened.
 */
async function repairInterrupted(engine: Engine, seen: ObservedContainer): Promise<void> {
  const { config, state } = seen;
  if (state?.supervisor && !(await endsSoon(state.supervisor))) {
    faultPoint();
    const startedAt = state.startedAt ?? new Date().toISOString();
    writeState(engine, { ...state, status: "running", startedAt } satisfies ContainerState);
    return;
  }
  restorePreviousExit(engine, config.id);
  await releaseRun(engine, config.id, state);
}

async function endsSoon(supervisor: ProcessIdentity): Promise<boolean> {
  const pidfd = openProcess(supervisor);
  if (pidfd === undefined) return true;
  try {
    return await endsWithin(pidfd, UNDO_MS);
  } finally {
    closeSync(pidfd);
  }
}

const SIGKILL = 9;

/**
 * Nobody has seen how the container ended. The kernel killed it with its supervisor
 * (PR_SET_PDEATHSIG), or this repair did: that is what the record says.
 */
function recordLostRun(engine: Engine, { config, state }: ObservedContainer): void {
  const record: ExitRecord = {
    pid: state?.init?.pid ?? 0,
    exitCode: null,
    signal: SIGKILL,
    oomKilled: false,
    oomKills: 0,
    finishedAt: new Date().toISOString(),
    logLost: 0,
  };
  const path = containerPaths(engine, config.id).exit;
  faultPoint();
  inStore("write", path, () => writeFileAtomic(path, `${JSON.stringify(record)}\n`));
  engine.warn(`the supervisor of "${config.name}" was killed; the container has been stopped`);
  recordEvent(engine, config, "died", { exitCode: null, signal: SIGKILL });
}
