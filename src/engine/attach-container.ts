import { type AttachStream, connectAttach } from "./attach/index.ts";
import { viewContainer } from "./container.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { checkLifecycle } from "./lifecycle.ts";
import { resolveContainer } from "./resolve.ts";

/**
 * Joins those who see the container's output, from now on, and may write to its stdin. Leaving does
 * nothing to the container. Throws WRONG_STATE for one that does not run.
 */
export async function attachContainer(engine: Engine, ref: string): Promise<AttachStream> {
  const { config, status } = await viewContainer(engine, resolveContainer(engine, ref));
  checkLifecycle("attach", status, config);
  const { dir, name } = containerPaths(engine, config.id).attachSocket;
  const attachment = await connectAttach(dir, name);
  recordEvent(engine, config, "attach");
  return attachment;
}
