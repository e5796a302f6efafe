/**
 * Clearing away after a run: its supervisor, processes, cgroup and run directory. Every step may
 * find its thing gone already.
 */
import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { pidfdSendSignal, waitProcessExit } from "../ffi/index.ts";
import { killCgroup, removeCgroup } from "../runtime/index.ts";
import type { Engine } from "./engine.ts";
import { containerCgroup } from "./host.ts";
import type { ContainerConfig, ContainerState, ProcessIdentity } from "./records.ts";
import { openProcess } from "./store/process-identity.ts";
import { readBootId, removeRunDirectory } from "./store/state.ts";
import { releaseVolumes } from "./volumes/use.ts";

/** How long a supervisor may tidy up: unmounting an overlay can sync a whole file system. */
const SUPERVISOR_END_MS = 30_000;
/** After SIGKILL only the kernel is still busy with it. */
const KILLED_END_MS = 10_000;

/** Waits for the supervisor to end by itself, and kills one that does not. */
export async function settleSupervisor(supervisor: ProcessIdentity | undefined): Promise<void> {
  if (!supervisor) return;
  const pidfd = openProcess(supervisor);
  if (pidfd === undefined) return;
  try {
    if (await endsWithin(pidfd, SUPERVISOR_END_MS)) return;
    sendKill(pidfd);
    if (await endsWithin(pidfd, KILLED_END_MS)) return;
  } finally {
    closeSync(pidfd);
  }
  throw new TsrunError("TIMEOUT", `the supervisor ${supervisor.pid} does not end`, {
    hint: "The kernel holds it: see /proc/PID/stack and the kernel's log.",
  });
}

/** Whether the process ends in that time. */
export async function endsWithin(
  pidfd: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    await waitProcessExit(pidfd, signal ? AbortSignal.any([timeout, signal]) : timeout);
    return true;
  } catch (error) {
    if (!timeout.aborted || signal?.aborted) throw error;
    return false;
  }
}

function sendKill(pidfd: number): void {
  try {
    pidfdSendSignal(pidfd, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error; // it ended first
  }
}

/** Kills what is left of a run and forgets it. The caller holds the container's lock. */
export async function releaseRun(
  engine: Engine,
  config: ContainerConfig,
  state: ContainerState | undefined,
): Promise<void> {
  if (state === undefined || state.bootId === readBootId()) {
    await removeRunCgroup(state?.cgroup ?? containerCgroup(config));
    await settleSupervisor(state?.supervisor);
  }
  faultPoint();
  removeRunDirectory(engine, config.id);
  await releaseVolumes(engine, config);
}

/** Kills every process in the cgroup and below, and removes it; one that is gone is fine. */
export async function removeRunCgroup(cgroup: string): Promise<void> {
  faultPoint();
  await killCgroup(cgroup);
  faultPoint();
  await removeCgroup(cgroup);
}
