/**
 * Making sense of what a killed command, a killed supervisor or a reboot left. Each remnant of
 * status.ts has one outcome, and doing it twice is the same as doing it once.
 */
import { writeFileAtomic } from "../base/atomic-file.ts";
import { TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { letGo } from "./hold.ts";
import type { ExitRecord } from "./records.ts";
import { releaseRun, settleSupervisor } from "./release.ts";
import type { ObservedContainer } from "./status.ts";
import { forgetPreviousExit, restorePreviousExit } from "./store/exit.ts";
import { inStore } from "./store/store-error.ts";

/** The caller holds the container's lock. */
export async function repairRemnant(engine: Engine, seen: ObservedContainer): Promise<void> {
  const { config, state, remnant } = seen;
  switch (remnant) {
    case "none":
      return;
    case "stale":
      return releaseRun(engine, config, state);
    case "ended":
      // It has written its last word and only tidies up.
      await settleSupervisor(state?.supervisor);
      return releaseRun(engine, config, state);
    case "interrupted":
      // Its stage undoes a launch whose starter died, unless it was killed as well.
      restorePreviousExit(engine, config.id);
      return releaseRun(engine, config, state);
    case "held":
      if (state) letGo(engine, state);
      return;
    case "lost":
      // First the record: with it, a repair that is interrupted is only one that has "ended".
      recordLostRun(engine, seen);
      return releaseRun(engine, config, state);
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
  try {
    inStore("write", path, () => writeFileAtomic(path, `${JSON.stringify(record)}\n`));
    forgetPreviousExit(engine, config.id);
    engine.warn(`the supervisor of "${config.name}" was killed; the container has been stopped`);
  } catch (error) {
    // The supervisor could not record the end either, and the container must end all the same.
    if (!(error instanceof TsrunError) || error.code !== "NO_SPACE") throw error;
    engine.warn(`how "${config.name}" ended could not be recorded: ${error.message}`);
  }
  recordEvent(engine, config, "died", { exitCode: null, signal: SIGKILL });
}
