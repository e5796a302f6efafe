import { rmdirSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { readChildren, readProcs } from "./procs.ts";
import { type WaitOptions, waitUntil } from "./wait.ts";

/**
 * Removes an empty cgroup and everything that a container made below it. Waits while the kernel
 * still lets killed processes go. Throws WRONG_STATE where processes stay. One that is gone already
 * is fine.
 */
export async function removeCgroup(
  directory: string,
  { timeoutMs = 2000, ...options }: WaitOptions = {},
): Promise<void> {
  try {
    await waitUntil(() => removeTree(directory), `cannot remove "${directory}"`, {
      ...options,
      timeoutMs,
    });
  } catch (error) {
    if (!(error instanceof TsrunError && error.code === "TIMEOUT")) throw error;
    const pids = readProcs(directory, { recursive: true });
    throw new TsrunError("WRONG_STATE", `cannot remove the cgroup "${directory}": it is in use`, {
      cause: error,
      hint:
        pids.length === 0
          ? "New cgroups may be made in it all the time."
          : `These processes are in it: ${pids.slice(0, 20).join(" ")}`,
    });
  }
}

/** Bottom-up. False where something is still busy; asked again, it lists anew. */
function removeTree(directory: string): boolean {
  const empty = readChildren(directory).map(removeTree);
  if (empty.includes(false)) return false;
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true;
    if (hasErrno(error, "EBUSY", "ENOTEMPTY")) return false;
    throw error;
  }
}
