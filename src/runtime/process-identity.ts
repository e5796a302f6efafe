import { closeSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { isProcessAlive, type ProcessIdentity } from "../base/process-identity.ts";
import { pidfdOpen, waitProcessExit } from "../ffi/index.ts";

/**
 * A pidfd for exactly this process, or undefined if it has ended. The caller closes it.
 * The start time is read after the pidfd is open, so that a reuse in between cannot be missed.
 */
export function openProcess(identity: ProcessIdentity): number | undefined {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(identity.pid);
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return undefined;
    throw error;
  }
  if (isProcessAlive(identity)) return pidfd;
  closeSync(pidfd);
  return undefined;
}

/** Waits until the process has ended. Rejects with ABORTED when the signal fires first. */
export async function waitForEnd(identity: ProcessIdentity, signal?: AbortSignal): Promise<void> {
  const pidfd = openProcess(identity);
  if (pidfd === undefined) return;
  try {
    await waitProcessExit(pidfd, signal);
  } finally {
    closeSync(pidfd);
  }
}
