import { writeFileSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { readEvents } from "./events.ts";
import { freezeCgroup, thawCgroup } from "./freeze.ts";
import { readProcs } from "./procs.ts";
import { type WaitOptions, waitUntil } from "./wait.ts";

/**
 * SIGKILL to every process of the cgroup and of all below it, however fast they fork. Returns when
 * the signals are sent; `waitEmpty` waits for the end. A cgroup that is gone needs no killing.
 * cgroup-v2.rst, "cgroup.kill" (Linux 5.14).
 */
export async function killCgroup(directory: string): Promise<void> {
  try {
    writeFileSync(`${directory}/cgroup.kill`, "1");
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENODEV")) throw error;
    if (readEvents(directory) === undefined) return;
    await killFrozen(directory);
  }
}

/** For kernels without cgroup.kill: what is frozen cannot fork, and SIGKILL reaches it all the same. */
export async function killFrozen(directory: string): Promise<void> {
  await freezeCgroup(directory);
  try {
    for (const pid of readProcs(directory, { recursive: true })) killOne(pid, directory);
  } finally {
    thawIfThere(directory);
  }
}

function thawIfThere(directory: string): void {
  try {
    thawCgroup(directory);
  } catch (error) {
    if (!(error instanceof TsrunError && error.code === "NOT_FOUND")) throw error;
    // Whoever waited for its processes has removed it: that is what we wanted.
  }
}

function killOne(pid: number, directory: string): void {
  if (pid === 0) {
    const message = `cannot kill all of "${directory}": a process is outside this pid namespace`;
    throw new TsrunError("PERMISSION", message);
  }
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error; // it exited first: that is what we wanted
  }
}

/** Returns when no process is left in the cgroup or below it, or the cgroup is gone. */
export async function waitEmpty(directory: string, options: WaitOptions = {}): Promise<void> {
  await waitUntil(
    () => readEvents(directory)?.populated !== true,
    `the processes in "${directory}" did not exit`,
    options,
  );
}
