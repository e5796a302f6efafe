import { type CgroupStats, readStats } from "../runtime/index.ts";
import { viewContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { checkLifecycle } from "./lifecycle.ts";
import { runOf } from "./pause.ts";
import type { ContainerId } from "./records.ts";
import { noSuchContainer, resolveContainer } from "./resolve.ts";

/** What a container has used, as its cgroup counts it at one moment. */
export interface ContainerStats extends CgroupStats {
  readonly id: ContainerId;
  readonly name: string;
  readonly status: "running" | "paused";
  /** RFC 3339, UTC. */
  readonly time: string;
  /** CLOCK_MONOTONIC milliseconds: what two measurements are apart. */
  readonly atMs: number;
  /** Since the start of the container. */
  readonly elapsedMs: number;
}

/** Throws WRONG_STATE for a container that does not run. */
export async function containerStats(engine: Engine, ref: string): Promise<ContainerStats> {
  const view = await viewContainer(engine, resolveContainer(engine, ref));
  const { config, status } = view;
  checkLifecycle("stats", status, config);
  const { cgroup, state } = runOf(view);
  const stats = readStats(cgroup);
  if (!stats) throw noSuchContainer(ref); // it has just ended
  const now = new Date();
  return {
    ...stats,
    id: config.id,
    name: config.name,
    status: status === "paused" ? "paused" : "running",
    time: now.toISOString(),
    atMs: performance.now(),
    elapsedMs: now.getTime() - Date.parse(state.startedAt ?? now.toISOString()),
  };
}

/**
 * The share of one CPU, in percent, that the container used between two measurements; of its whole
 * life if there is only one. undefined where the kernel does not count it.
 */
export function cpuPercent(
  now: Pick<ContainerStats, "cpu" | "atMs" | "elapsedMs">,
  before?: Pick<ContainerStats, "cpu" | "atMs">,
): number | undefined {
  if (!now.cpu || (before && !before.cpu)) return undefined;
  const usedMicros = now.cpu.usageMicros - (before?.cpu?.usageMicros ?? 0);
  const elapsedMs = before ? now.atMs - before.atMs : now.elapsedMs;
  return elapsedMs > 0 ? (100 * usedMicros) / (1000 * elapsedMs) : 0;
}
