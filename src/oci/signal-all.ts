/** A signal for all processes of a container. */
import { hasErrno } from "../base/errors.ts";
import { killCgroup, readProcs } from "../runtime/index.ts";
import type { ContainerRecord } from "./records.ts";

const SIGKILL = 9;

/** One that has ended has none: that is no error. */
export async function signalAll({ cgroup }: ContainerRecord, signal: number): Promise<void> {
  if (signal === SIGKILL) return killCgroup(cgroup);
  for (const pid of readProcs(cgroup, { recursive: true })) {
    if (pid === 0) continue; // outside our pid namespace
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  }
}
