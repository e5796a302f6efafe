/**
 * Ending a container: the stop signal, then, when the time is up, cgroup.kill, which no process in it
 * can escape by forking.
 */
import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { parseSignal } from "../base/signal.ts";
import { pidfdSendSignal } from "../ffi/index.ts";
import { killCgroup, thawCgroup } from "../runtime/index.ts";
import { isGone, withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { ContainerConfig, ContainerId, ContainerState, ContainerView } from "./records.ts";
import { endsWithin } from "./release.ts";
import { openProcess } from "./store/process-identity.ts";
import { writeState } from "./store/state.ts";

export interface StopOptions {
  /** How long it may take to stop by itself; the container's own --stop-timeout without it. */
  readonly timeoutSeconds?: number;
  /** Stops waiting, with ABORTED; the container then gets no SIGKILL. */
  readonly signal?: AbortSignal;
}

/**
 * Stops a container, and returns its id once it has ended; one that does not run is left as it is.
 * Other commands on it are not held up while it takes its time.
 */
export async function stopContainer(
  engine: Engine,
  ref: string,
  options: StopOptions = {},
): Promise<ContainerId> {
  const { signal } = options;
  const asked = await withContainer(
    engine,
    ref,
    async (container) => {
      const { config, status } = container;
      if (checkLifecycle("stop", status, config)) await askToStop(engine, container);
      return container;
    },
    signal,
    { disk: false },
  );
  const { id } = asked.config;
  if (asked.status !== "running" && asked.status !== "paused") return id;
  if (await supervisorEndsWithin(asked, timeoutMs(asked.config, options), signal)) return id;
  await killRun(engine, id, asked, signal);
  return id;
}

/** The same with the container's lock held throughout: for a removal, which nothing may come before. */
export async function stopLocked(
  engine: Engine,
  container: ContainerView,
  options: StopOptions,
): Promise<void> {
  const limitMs = timeoutMs(container.config, options);
  if (limitMs > 0) {
    await askToStop(engine, container);
    if (await supervisorEndsWithin(container, limitMs, options.signal)) return;
  }
  await killNow(container);
}

function timeoutMs(config: ContainerConfig, { timeoutSeconds }: StopOptions): number {
  return 1000 * (timeoutSeconds ?? config.process.stopTimeoutSeconds);
}

/** A paused container could not hear the signal: it is thawed. */
async function askToStop(engine: Engine, { config, status, state }: ContainerView): Promise<void> {
  recordEvent(engine, config, "stop", { signal: config.process.stopSignal });
  faultPoint();
  if (state?.init) signalProcess(state.init, parseSignal(config.process.stopSignal));
  faultPoint();
  if (status === "paused" && state?.cgroup !== undefined) {
    thawCgroup(state.cgroup);
    faultPoint();
    writeState(engine, { ...state, status: "running" });
  }
}

/** False if the process has ended. */
export function signalProcess(
  identity: NonNullable<ContainerState["init"]>,
  signal: number,
): boolean {
  const pidfd = openProcess(identity);
  if (pidfd === undefined) return false;
  try {
    pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return false;
    throw error;
  } finally {
    closeSync(pidfd);
  }
}

/** The supervisor ends last: the exit is recorded then and the run's mounts and cgroup are gone. */
async function supervisorEndsWithin(
  { state }: ContainerView,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (!state?.supervisor) return true;
  const pidfd = openProcess(state.supervisor);
  if (pidfd === undefined) return true;
  try {
    return await endsWithin(pidfd, limitMs, signal);
  } finally {
    closeSync(pidfd);
  }
}

/** Only the run that was asked to stop is killed: meanwhile somebody may have started another. */
async function killRun(
  engine: Engine,
  id: ContainerId,
  asked: ContainerView,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await withContainer(
      engine,
      id,
      async (now) => {
        if (now.state?.startedAt === asked.state?.startedAt) await killNow(now);
      },
      signal,
      { disk: false },
    );
  } catch (error) {
    if (!isGone(error)) throw error; // it ended by itself and was removed: --rm
  }
}

/** The kernel has to free all that the processes hold: with thousands of them that takes seconds. */
const KILL_MS = 60_000;

async function killNow(container: ContainerView): Promise<void> {
  const { config, state } = container;
  faultPoint();
  if (state?.cgroup !== undefined) await killCgroup(state.cgroup);
  faultPoint();
  if (await supervisorEndsWithin(container, KILL_MS, undefined)) return;
  throw new TsrunError("TIMEOUT", `the container "${config.name}" does not end after SIGKILL`, {
    hint: "A process in it waits for a device or a network file system: see its /proc/PID/stack.",
  });
}
