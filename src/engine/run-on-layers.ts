/**
 * A command on layers that are no image yet: one step of a build. Its container is like any other while it
 * runs, and what it has written can be taken before it goes.
 */
import type { Readable } from "node:stream";
import { TsrunError } from "../base/errors.ts";
import type { ExitStatus } from "../runtime/index.ts";
import type { AttachStream } from "./attach/index.ts";
import { isGone } from "./container.ts";
import { createLocked } from "./create.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { exitOfAttachment } from "./exit.ts";
import { killContainer } from "./kill.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import { releaseRun, settleSupervisor } from "./release.ts";
import { deleteContainer } from "./remove.ts";
import type { ContainerRequest } from "./request.ts";
import { type StartedContainer, startLocked } from "./start.ts";
import { type Lock, lockContainer } from "./store/lock.ts";
import { readState } from "./store/state.ts";

export interface LayeredRun {
  /** Nothing of an image's configuration counts: all is here. `image` is only what `ps` shows. */
  readonly request: ContainerRequest;
  /** Directories, uppermost first; none for an empty root. */
  readonly layers: readonly string[];
  /** Says what "/" is like. */
  readonly rootLayer?: string | undefined;
  readonly onOutput: (stream: "stdout" | "stderr", chunk: Uint8Array) => void;
  /** Kills the command, and rejects with ABORTED. */
  readonly signal?: AbortSignal;
}

export interface EndedRun {
  readonly exit: ExitStatus;
  /** What it has changed, in overlayfs's form. Gone when `take` has ended. */
  readonly upper: string;
  readonly warnings: readonly string[];
}

/**
 * Runs the command to its end and answers what `take` makes of it. However that goes, the container is
 * gone then. If this process is killed, the supervisor removes it when the command ends.
 */
export async function runOnLayers<T>(
  engine: Engine,
  run: LayeredRun,
  take: (ended: EndedRun) => Promise<T>,
): Promise<T> {
  const { request, layers, rootLayer, signal } = run;
  const { config, held } = await createLocked(
    engine,
    { ...request, remove: true },
    {
      throwaway: true,
      root: {
        image: { id: "", reference: request.image ?? "", layers },
        ...{ defaults: {}, labels: {}, rootLayer },
      },
    },
  );
  const started = await start(engine, { config, held, signal });
  try {
    const exit = await follow(engine, started, run);
    await settleSupervisor(started.supervisor);
    const upper = containerPaths(engine, config.id).upper;
    return await take({ exit, upper, warnings: started.warnings });
  } finally {
    await remove(engine, config);
  }
}

async function start(
  engine: Engine,
  {
    config,
    held,
    signal,
  }: {
    readonly config: ContainerConfig;
    readonly held: Lock;
    readonly signal: AbortSignal | undefined;
  },
): Promise<StartedContainer> {
  using _held = held;
  try {
    return await startLocked(engine, config, {
      ...{ attach: { stdin: false }, throwaway: true, hasRun: false },
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    await deleteContainer(engine, config, { volumes: true });
    throw error;
  }
}

async function follow(
  engine: Engine,
  { id, attachment }: StartedContainer,
  { onOutput, signal }: LayeredRun,
): Promise<ExitStatus> {
  const { stdout, stderr, exit } = attachment as AttachStream;
  using _killing = killOnAbort(engine, id, signal);
  const read = async (stream: "stdout" | "stderr", from: Readable) => {
    for await (const chunk of from as AsyncIterable<Uint8Array>) onOutput(stream, chunk);
  };
  const [end] = await Promise.all([exit, read("stdout", stdout), read("stderr", stderr)]);
  if (signal?.aborted) {
    throw new TsrunError("ABORTED", "the build was aborted", { cause: signal.reason });
  }
  if (end.kind === "lost") throw end.error;
  return exitOfAttachment(end) ?? { kind: "exited", code: 0 };
}

function killOnAbort(engine: Engine, id: ContainerId, signal: AbortSignal | undefined): Disposable {
  const kill = () => {
    killContainer(engine, id, { signal: "SIGKILL", all: true }).catch((error: unknown) => {
      const ended = isGone(error) || (error instanceof TsrunError && error.code === "WRONG_STATE");
      if (!ended) engine.warn(`cannot kill the build's container "${id}": ${String(error)}`);
    });
  };
  if (signal?.aborted) kill();
  else signal?.addEventListener("abort", kill, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", kill) };
}

/** Somebody may have removed it meanwhile: that is what is wanted. */
async function remove(engine: Engine, config: ContainerConfig): Promise<void> {
  using held = await lockContainer(engine, config.id);
  if (!held) return;
  await releaseRun(engine, config, readState(engine, config.id));
  await deleteContainer(engine, config, { volumes: true });
}
