import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { renewImage } from "./renew-image.ts";
import { type StartedContainer, startLocked } from "./start.ts";
import { type StopOptions, stopContainer } from "./stop.ts";

/** Stops the container if it runs, and starts it, detached. */
export async function restartContainer(
  engine: Engine,
  ref: string,
  options: StopOptions = {},
): Promise<StartedContainer> {
  for (;;) {
    const id = await stopContainer(engine, ref, options);
    const started = await withContainer(
      engine,
      id,
      async ({ config, status, exit }) => {
        // Nobody is held up by a stop, so somebody may have started it again: that run is to end, too.
        if (status === "running" || status === "paused") return undefined;
        const run = await startLocked(engine, renewImage(engine, config), {
          hasRun: exit !== undefined,
          ...(options.signal ? { signal: options.signal } : {}),
        });
        recordEvent(engine, config, "restart");
        return run;
      },
      options.signal,
    );
    if (started) return started;
  }
}
