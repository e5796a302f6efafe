import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { releaseRun } from "./release.ts";
import { type StartedContainer, startLocked } from "./start.ts";
import { type StopOptions, stopContainer } from "./stop.ts";

/** Stops the container if it runs, and starts it, detached. */
export async function restartContainer(
  engine: Engine,
  ref: string,
  options: StopOptions = {},
): Promise<StartedContainer> {
  const { signal } = options;
  const id = await stopContainer(engine, ref, options);
  return withContainer(
    engine,
    id,
    async ({ config, state, exit }) => {
      if (state) await releaseRun(engine, config, state);
      const started = await startLocked(engine, config, {
        hasRun: exit !== undefined,
        ...(signal ? { signal } : {}),
      });
      recordEvent(engine, config, "restart");
      return started;
    },
    signal,
  );
}
