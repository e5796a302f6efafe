import { passed } from "../base/timeline.ts";
import type { AttachStream } from "./attach/index.ts";
import { createLocked } from "./create.ts";
import type { Engine } from "./engine.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import { releaseRun, settleSupervisor } from "./release.ts";
import { deleteContainer } from "./remove.ts";
import type { ContainerRequest } from "./request.ts";
import { type StartedContainer, type StartOptions, startLocked } from "./start.ts";
import { lockContainer } from "./store/lock.ts";
import { readState } from "./store/state.ts";

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
  passed("begin");
  const { config, held } = await createLocked(engine, request, {
    throwaway: options.throwaway ?? false,
  });
  using _held = held;
  passed("created");
  let started: StartedContainer;
  try {
    onCreated?.(config.id);
    started = await startLocked(engine, config, { ...options, hasRun: false });
  } catch (error) {
    await deleteContainer(engine, config, { volumes: true });
    throw error;
  }
  const { attachment } = started;
  if (!attachment || !request.remove) return started;
  return { ...started, attachment: removedAtExit(engine, config, started, attachment) };
}

/** The starter's attachment stands in for the supervisor's exit command: see exit-command.ts. */
function removedAtExit(
  engine: Engine,
  config: ContainerConfig,
  run: StartedContainer,
  attachment: AttachStream,
): AttachStream {
  const { stdout, stderr, stdin, resize, detach, leave } = attachment;
  const exit = attachment.exit.then(async (end) => {
    passed("exit told");
    if (end.kind !== "detached") await removeEnded(engine, config, run);
    return end;
  });
  return { stdout, stderr, stdin, resize, detach, leave, exit };
}

/**
 * A failed removal is not the container's failure: the next command that sees it removes it. Only this
 * run is cleared away: somebody may have restarted the container meanwhile.
 */
async function removeEnded(
  engine: Engine,
  config: ContainerConfig,
  { supervisor, startedAt }: StartedContainer,
): Promise<void> {
  try {
    using held = await lockContainer(engine, config.id);
    const state = held && readState(engine, config.id);
    if (state?.startedAt !== startedAt) return;
    await settleSupervisor(supervisor);
    passed("supervisor ended");
    await releaseRun(engine, config, state);
    passed("run released");
    await deleteContainer(engine, config);
    passed("deleted");
  } catch (error) {
    engine.warn(`the container "${config.name}" is not removed: ${String(error)}`);
  }
}
