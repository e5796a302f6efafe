/** What a container is doing, found out by looking: nobody of ours is there to write it down. */
import { existsSync, readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { isProcessAlive } from "../base/process-identity.ts";
import { type ContainerRecord, containerPaths } from "./records.ts";

/** OCI runtime.md, "State", and "paused" as runc has it. */
export type Status = "creating" | "created" | "running" | "paused" | "stopped";

export function readStatus(root: string, record: ContainerRecord): Status {
  if (record.bootId !== readBootId()) return "stopped";
  if (!record.init) return isProcessAlive(record.creator) ? "creating" : "stopped";
  if (!isProcessAlive(record.init)) return "stopped";
  if (isFrozen(record.cgroup)) return "paused";
  return existsSync(containerPaths(root, record.id).execFifo) ? "created" : "running";
}

/** It may be one above that was frozen, so the kernel's answer is asked for, not the request. */
function isFrozen(cgroup: string): boolean {
  try {
    return /^frozen 1$/m.test(readFileSync(`${cgroup}/cgroup.events`, "utf8"));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return false; // removed meanwhile
    throw error;
  }
}

/** A container has no processes of another boot. random(4). */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
