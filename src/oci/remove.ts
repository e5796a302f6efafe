/** Taking away all that a container left: processes, cgroup, records. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { isProcessAlive } from "../base/process-identity.ts";
import { killCgroup, removeCgroup, removeRdt } from "../runtime/index.ts";
import type { GlobalOptions } from "./command.ts";
import { type ContainerRecord, containerPaths, findRecord, removeRecords } from "./records.ts";
import { composeState } from "./state.ts";
import { readBootId, readStatus } from "./status.ts";

/** Throws WRONG_STATE for one that runs, unless `force`. */
export async function deleteContainer(
  record: ContainerRecord,
  { force }: { readonly force: boolean },
  globals: GlobalOptions,
): Promise<void> {
  const status = readStatus(globals.root, record);
  if (!force && status !== "stopped" && status !== "created") {
    throw new TsrunError(
      "WRONG_STATE",
      `cannot delete container ${record.id} that is not stopped: ${status}`,
    );
  }
  // With it its stage dies, and then the process that was being made.
  if (status === "creating") killIfThere(record.creator.pid);
  await killAll(record);
  await removeUnit(record);
  await removeCgroup(record.cgroup);
  if (record.intelRdt) removeRdt(record.intelRdt, record.id);
  removeRecords(globals.root, record.id);
  if (!record.hooks?.poststop?.length) return;
  const { runHooksBestEffort } = await import("./hooks.ts");
  const state = composeState(record, "stopped");
  await runHooksBestEffort("poststop", record.hooks.poststop, state, globals.warn);
}

/** What a creation left that was killed before it wrote anything. */
export function removeRemains(root: string, id: string): void {
  if (findRecord(root, id) === undefined && existsSync(containerPaths(root, id).dir)) {
    removeRecords(root, id);
  }
}

/** It goes with its last process, but for what a failed one leaves. None outlives its boot. */
async function removeUnit({ unit, bootId }: ContainerRecord): Promise<void> {
  if (unit === undefined || bootId !== readBootId()) return;
  const { stopUnit } = await import("./container-unit.ts");
  await stopUnit(unit);
}

/** The kernel has to free all that the processes hold: with thousands of them that takes seconds. */
const KILL_MS = 30_000;

/** Those of a shared pid namespace outlive the first process. */
async function killAll(record: ContainerRecord): Promise<void> {
  const { init, cgroup, id } = record;
  if (existsSync(cgroup)) await killCgroup(cgroup);
  if (!init) return;
  const deadline = Date.now() + KILL_MS;
  for (let pauseMs = 1; isProcessAlive(init); pauseMs = Math.min(pauseMs * 2, 50)) {
    killIfThere(init.pid); // also one that left its cgroup
    if (Date.now() > deadline) {
      throw new TsrunError("TIMEOUT", `container ${id}: its first process does not end`, {
        hint: "The kernel holds it: see its /proc/PID/stack.",
      });
    }
    await sleep(pauseMs);
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error; // it ended first
  }
}
