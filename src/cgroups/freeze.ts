import { writeFileSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { readEvents } from "./events.ts";
import { type WaitOptions, waitUntil } from "./wait.ts";

/**
 * Stops every process of the cgroup where it is. Throws TIMEOUT, after a thaw, where one does not
 * stop (it sleeps uninterruptibly); NOT_FOUND where the cgroup is gone. cgroup-v2.rst, "cgroup.freeze".
 */
export async function freezeCgroup(directory: string, options: WaitOptions = {}): Promise<void> {
  writeFreeze(directory, "1");
  try {
    await waitUntil(
      () => readEvents(directory)?.frozen !== false,
      `the processes in "${directory}" did not stop`,
      options,
    );
  } catch (error) {
    writeFreeze(directory, "0");
    throw error;
  }
}

/** Lets them go on. It returns at once: nobody can see a process that is about to run. */
export function thawCgroup(directory: string): void {
  writeFreeze(directory, "0");
}

function writeFreeze(directory: string, value: "0" | "1"): void {
  try {
    writeFileSync(`${directory}/cgroup.freeze`, value);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENODEV")) throw error;
    throw new TsrunError("NOT_FOUND", `the cgroup "${directory}" is gone`, { cause: error });
  }
}
