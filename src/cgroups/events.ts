import { readIfThere } from "./files.ts";
import { parseFlatKeyed } from "./keyed.ts";

/** `cgroup.events`, or undefined when the cgroup is gone. */
export interface CgroupEvents {
  /** Living processes in it or below it. */
  readonly populated: boolean;
  readonly frozen: boolean;
}

export function readEvents(directory: string): CgroupEvents | undefined {
  const text = readIfThere(`${directory}/cgroup.events`);
  if (text === undefined) return undefined;
  const events = parseFlatKeyed(text);
  return { populated: events.get("populated") === 1, frozen: events.get("frozen") === 1 };
}

/**
 * How many processes of the cgroup and everything below it the OOM killer has killed; undefined
 * without the memory controller. `memory.events`, oom_kill.
 */
export function readOomKills(directory: string): number | undefined {
  const text = readIfThere(`${directory}/memory.events`);
  return text === undefined ? undefined : parseFlatKeyed(text).get("oom_kill");
}
