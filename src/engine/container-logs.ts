import { isGone, viewIfThere } from "./container.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { type LogRecord, readLogs } from "./logs/index.ts";
import type { ContainerId } from "./records.ts";
import { resolveContainer } from "./resolve.ts";
import { waitContainer } from "./wait.ts";

export interface LogOptions {
  readonly since?: Date;
  readonly until?: Date;
  /** Only the last so many lines of what is there already. */
  readonly tail?: number;
  /** Go on until the container ends. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/** What the container wrote, oldest first. */
export async function* containerLogs(
  engine: Engine,
  ref: string,
  { since, until, tail, follow = false, signal }: LogOptions = {},
): AsyncGenerator<LogRecord, void, void> {
  const id = resolveContainer(engine, ref);
  const paths = containerPaths(engine, id);
  const stop = new AbortController();
  const followed = follow ? { follow: { ended: runEnds(engine, id, stop.signal) } } : {};
  try {
    yield* readLogs({
      path: paths.log,
      ...(since ? { since: nanoseconds(since) } : {}),
      ...(until ? { until: nanoseconds(until) } : {}),
      ...(tail === undefined ? {} : { tail }),
      ...followed,
      ...(signal ? { signal } : {}),
    });
  } finally {
    stop.abort();
  }
}

/** Settles at once for a container that does not run. */
async function runEnds(engine: Engine, id: ContainerId, signal: AbortSignal): Promise<void> {
  const status = (await viewIfThere(engine, id))?.status;
  if (status !== "running" && status !== "paused" && status !== "starting") return;
  try {
    await waitContainer(engine, id, { signal });
  } catch (error) {
    if (!signal.aborted && !isGone(error)) throw error;
  }
}

function nanoseconds(date: Date): bigint {
  return BigInt(date.getTime()) * 1_000_000n;
}
