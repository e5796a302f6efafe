/**
 * A container as an object: the engine's functions with the container filled in.
 */
import { parseImageChange, type StoredImage } from "../../images/index.ts";
import type { Change } from "../../overlay/index.ts";
import { type ExitStatus, exitStatusCode } from "../../runtime/index.ts";
import type { AttachStream } from "../attach/index.ts";
import { attachContainer } from "../attach-container.ts";
import { type CommitOptions, commitContainer } from "../commit.ts";
import { containerLogs, type LogOptions } from "../container-logs.ts";
import { createContainer } from "../create.ts";
import { diffContainer } from "../diff.ts";
import type { Engine } from "../engine.ts";
import { type ExecRequest, type ExecSession, execInContainer } from "../exec.ts";
import { exportContainer } from "../export.ts";
import { killContainer } from "../kill.ts";
import { inspectContainer, type ListOptions, listContainers } from "../list.ts";
import { pauseContainer, resumeContainer } from "../pause.ts";
import type { ContainerId, ContainerView, SnapshotRecord } from "../records.ts";
import { removeContainer } from "../remove.ts";
import { renameContainer } from "../rename.ts";
import type { ContainerRequest, LimitsRequest } from "../request.ts";
import { resolveContainer } from "../resolve.ts";
import { restartContainer } from "../restart.ts";
import {
  type CloneOptions,
  cloneContainer,
  listSnapshots,
  removeSnapshot,
  restoreContainer,
  type SnapshotView,
  snapshotContainer,
} from "../snapshots/index.ts";
import { type AttachRequest, startContainer } from "../start.ts";
import { type ContainerStats, containerStats } from "../stats.ts";
import { stopContainer } from "../stop.ts";
import { containerTop, type ProcessRow } from "../top.ts";
import { type UpdateOptions, updateContainer } from "../update.ts";
import { type WaitOptions, waitContainer } from "../wait.ts";
import { bringImage, type PullChoice } from "./images.ts";
import { engineFor, type StoreOptions } from "./options.ts";
import { giveInput, type InputChoice, type OutputChoice, takeOutput } from "./output.ts";
import { aborted } from "./run.ts";

/** How a container ended. */
export interface ExitResult {
  /** As a shell counts it: the exit code, or 128 and the signal's number. */
  readonly status: number;
  readonly exit: ExitStatus;
}

export interface LogLine {
  readonly time: Date;
  /** RFC 3339 with nanoseconds. */
  readonly timestamp: string;
  readonly stream: "stdout" | "stderr";
  /** UTF-8, without the newline. */
  readonly text: string;
  /** The same as bytes. */
  readonly bytes: Buffer;
  /** The line goes on in the stream's next record. */
  readonly partial: boolean;
}

export interface ExecCommandOptions extends Omit<ExecRequest, "args" | "detach" | "interactive"> {
  readonly input?: InputChoice;
  readonly stdout?: OutputChoice;
  readonly stderr?: OutputChoice;
  /** Kills the command, and rejects with ABORTED; the container goes on. */
  readonly signal?: AbortSignal;
}

export interface ExecResult extends ExitResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: { readonly stdout: Buffer; readonly stderr: Buffer };
}

export interface CommitChoice extends Omit<CommitOptions, "name" | "changes"> {
  /** 'CMD ["serve"]', "ENV A=1", … */
  readonly changes?: readonly string[];
}

export class Container implements AsyncDisposable {
  readonly id: ContainerId;
  readonly #engine: Engine;

  /** `create` and `open` make these. */
  constructor(engine: Engine, id: ContainerId) {
    this.#engine = engine;
    this.id = id;
  }

  /** Starts it in the background: it outlives this program. */
  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await startContainer(this.#engine, this.id, options);
  }

  /** Starts it with its stdio as streams, connected before its first instruction. */
  async startAttached(
    attach: AttachRequest = { stdin: true },
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<AttachStream> {
    const { attachment } = await startContainer(this.#engine, this.id, { ...options, attach });
    return attachment as AttachStream;
  }

  /** Joins those who see its output from now on. */
  attach(): Promise<AttachStream> {
    return attachContainer(this.#engine, this.id);
  }

  /** Runs a command in it to its end. A command that fails is a result, not an error. */
  async exec(args: readonly string[], options: ExecCommandOptions = {}): Promise<ExecResult> {
    const { input, stdout = "capture", stderr = "capture", signal, ...request } = options;
    if (signal?.aborted) throw aborted("command", signal);
    const session = await execInContainer(
      this.#engine,
      this.id,
      { ...request, args, interactive: input !== undefined },
      { stdio: "pipe", ...(signal ? { signal } : {}) },
    );
    if (input !== undefined && session.stdin) {
      void giveInput(session.stdin, input, session.exit);
    }
    using _aborting = leaveOnAbort(session, signal);
    const ended = Promise.all([
      session.exit,
      session.stdout ? takeOutput(session.stdout, stdout, process.stdout) : Buffer.alloc(0),
      session.stderr ? takeOutput(session.stderr, stderr, process.stderr) : Buffer.alloc(0),
    ]);
    const [exit, out, err] = await ended.catch((error: unknown) => {
      throw signal?.aborted ? aborted("command", signal) : error;
    });
    if (signal?.aborted) throw aborted("command", signal);
    return {
      status: exitStatusCode(exit),
      exit,
      stdout: out.toString(),
      stderr: err.toString(),
      bytes: { stdout: out, stderr: err },
    };
  }

  /** Starts a command in it and leaves its streams to the caller. */
  spawn(
    args: readonly string[],
    { signal, ...request }: Omit<ExecRequest, "args"> & { readonly signal?: AbortSignal } = {},
  ): Promise<ExecSession> {
    const options = { stdio: "pipe", ...(signal ? { signal } : {}) } as const;
    return execInContainer(this.#engine, this.id, { ...request, args }, options);
  }

  /** What it wrote, oldest first; with `follow` until it ends. */
  async *logs(options: LogOptions = {}): AsyncGenerator<LogLine, void, void> {
    for await (const record of containerLogs(this.#engine, this.id, options)) {
      const { time, timestamp, stream, text, partial } = record;
      yield {
        time: new Date(Number(time / 1_000_000n)),
        timestamp,
        stream,
        text: text.toString(),
        bytes: text,
        partial,
      };
    }
  }

  /** Waits, asleep, until it has ended. */
  async wait(options: WaitOptions = {}): Promise<ExitResult> {
    const exit = await waitContainer(this.#engine, this.id, options);
    return { status: exitStatusCode(exit), exit };
  }

  stats(): Promise<ContainerStats> {
    return containerStats(this.#engine, this.id);
  }

  top(): Promise<ProcessRow[]> {
    return containerTop(this.#engine, this.id);
  }

  inspect(): Promise<ContainerView> {
    return inspectContainer(this.#engine, this.id);
  }

  /** The stop signal, and SIGKILL to everything in it after the timeout. */
  async stop(
    options: { readonly timeoutSeconds?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await stopContainer(this.#engine, this.id, options);
  }

  /** A signal by name or number; SIGKILL without one. */
  async kill(
    signal: string | number = "SIGKILL",
    options: { readonly all?: boolean } = {},
  ): Promise<void> {
    await killContainer(this.#engine, this.id, { ...options, signal });
  }

  async pause(): Promise<void> {
    await pauseContainer(this.#engine, this.id);
  }

  async resume(): Promise<void> {
    await resumeContainer(this.#engine, this.id);
  }

  /** Stops it if it runs, and starts it in the background. */
  async restart(
    options: { readonly timeoutSeconds?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await restartContainer(this.#engine, this.id, options);
  }

  async rename(name: string): Promise<void> {
    await renameContainer(this.#engine, this.id, name);
  }

  /** New limits at once, and for every later start. */
  async update(limits: LimitsRequest, options: UpdateOptions = {}): Promise<void> {
    await updateContainer(this.#engine, this.id, limits, options);
  }

  /**
   * What it has changed, as an image on top of its own; `changes` are instructions as a Containerfile has
   * them. It may be running. Throws UNSUPPORTED, NO_SPACE, ABORTED.
   */
  async commit(
    name?: string,
    { changes = [], ...options }: CommitChoice = {},
  ): Promise<StoredImage> {
    return commitContainer(this.#engine, this.id, {
      ...(name === undefined ? {} : { name }),
      ...options,
      changes: changes.map(parseImageChange),
    });
  }

  /** All its files as a tar archive into a stream, which is not ended. It may be running. */
  async export(
    output: NodeJS.WritableStream,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await exportContainer(this.#engine, this.id, output, options);
  }

  /** What it has added, changed and deleted in its image, parents before children. */
  diff(): Promise<readonly Change[]> {
    return diffContainer(this.#engine, this.id);
  }

  /** Keeps its root as it is now under a name: snap0, snap1 … without one. It may be running. */
  snapshot(name?: string): Promise<SnapshotRecord> {
    return snapshotContainer(this.#engine, this.id, name);
  }

  /** Oldest first, with what each takes on the disk. */
  snapshots(): Promise<readonly SnapshotView[]> {
    return listSnapshots(this.#engine, this.id);
  }

  /** Gives it the root of a snapshot; it must not run. What it has changed since is deleted. */
  async restore(snapshot: string): Promise<void> {
    await restoreContainer(this.#engine, this.id, snapshot);
  }

  async removeSnapshot(name: string): Promise<void> {
    await removeSnapshot(this.#engine, this.id, name);
  }

  /** A new container with its options and all that it has changed; nothing is copied if it does not run. */
  async clone(options: CloneOptions = {}): Promise<Container> {
    const { id } = await cloneContainer(this.#engine, this.id, options);
    return new Container(this.#engine, id);
  }

  /** Its writable layer and its logs go with it. With `force` it is killed first. */
  async remove(options: { readonly force?: boolean } = {}): Promise<void> {
    await removeContainer(this.#engine, this.id, options);
  }

  /** `await using container = await create(…)`: killed and removed at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await removeContainer(this.#engine, this.id, { force: true, ignoreMissing: true });
  }
}

/** Processes that the killed command started may hold its outputs open for as long as they like. */
function leaveOnAbort(
  { exit, stdout, stderr }: ExecSession,
  signal: AbortSignal | undefined,
): Disposable {
  const close = () => {
    stdout?.destroy();
    stderr?.destroy();
  };
  const leave = () => void exit.then(close, close);
  if (signal?.aborted) leave();
  else signal?.addEventListener("abort", leave, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", leave) };
}

export type CreateOptions = ContainerRequest & PullChoice & StoreOptions;

/** A new container, not started yet. */
export async function create(options: CreateOptions): Promise<Container> {
  const { root: _root, runRoot: _runRoot, onWarning: _onWarning, pull: _pull, ...asked } = options;
  const engine = engineFor(options);
  const { id } = await createContainer(engine, await bringImage(options, asked, options));
  return new Container(engine, id);
}

/** A container that is there already, by its name, its id or the beginning of it. Throws NOT_FOUND. */
export function open(ref: string, options: StoreOptions = {}): Container {
  const engine = engineFor(options);
  return new Container(engine, resolveContainer(engine, ref));
}

/** The containers, newest first. */
export function list(options: ListOptions & StoreOptions = {}): Promise<ContainerView[]> {
  return listContainers(engineFor(options), options);
}
