import type { AttachEnd, AttachStream } from "./attach/index.ts";
import { isGone, viewIfThere } from "./container.ts";
import { createLocked } from "./create.ts";
import type { Engine } from "./engine.ts";
import type { ContainerId } from "./records.ts";
import { deleteContainer, removeContainer } from "./remove.ts";
import type { ContainerRequest } from "./request.ts";
import { type StartedContainer, type StartOptions, startLocked } from "./start.ts";

export interface RunOptions extends StartOptions {
  /** Told of the id before the container's first instruction; if it throws, there is no container. */
  readonly onCreated?: (id: ContainerId) => void;
}

/**
 * Creates and starts a container in one go. If it cannot be started it is not created either. With
 * `attach` and `remove`, the attachment's `exit` settles when the container has been removed.
 */
export async function runContainer(
  engine: Engine,
  request: ContainerRequest,
  { onCreated, ...options }: RunOptions = {},
): Promise<StartedContainer> {
  const { config, held } = await createLocked(engine, request);
  using _held = held;
  let started: StartedContainer;
  try {
    onCreated?.(config.id);
    started = await startLocked(engine, config, { ...options, hasRun: false });
  } catch (error) {
    deleteContainer(engine, config, held);
    throw error;
  }
  return withRemoval(engine, started, request.remove ?? false);
}

/** The starter's attachment stands in for the supervisor's exit command: see exit-command.ts. */
export function withRemoval(
  engine: Engine,
  started: StartedContainer,
  remove: boolean,
): StartedContainer {
  const { attachment, id } = started;
  if (!attachment || !remove) return started;
  return { ...started, attachment: removedAtExit(engine, id, attachment) };
}

function removedAtExit(engine: Engine, id: ContainerId, attachment: AttachStream): AttachStream {
  const { stdout, stderr, stdin, resize, detach } = attachment;
  const exit = attachment.exit.then(async (end) => {
    if (end.kind !== "detached") await removeEnded(engine, id, end);
    return end;
  });
  return { stdout, stderr, stdin, resize, detach, exit };
}

/** A failed removal is not the container's failure: the next command that sees it removes it. */
async function removeEnded(engine: Engine, id: ContainerId, end: AttachEnd): Promise<void> {
  try {
    // A lost supervisor's run is cleared away by whoever looks first.
    if (end.kind === "lost" && (await isAlive(engine, id))) return;
    await removeContainer(engine, id, { ignoreMissing: true });
  } catch (error) {
    if (!isGone(error)) engine.warn(`the container "${id}" is not removed: ${String(error)}`);
  }
}

async function isAlive(engine: Engine, id: ContainerId): Promise<boolean> {
  const status = (await viewIfThere(engine, id))?.status;
  return status === "running" || status === "paused" || status === "starting";
}
