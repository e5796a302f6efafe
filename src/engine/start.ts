/**
 * Starting a container. Every step is either undone by this process or, if it is killed, understood
 * by the next command (reconcile.ts):
 *
 *     run directory     before anything exists that would have to be cleared away: "starting"
 *     launch, held      the stage has made everything and waits before its exec; if this process
 *                       dies now, it undoes it all
 *     state.json        with the pids: "running"
 *     release           from here on the container goes on by itself
 */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import { faultPoint, requestedFault } from "../base/fault.ts";
import { passed, timed } from "../base/timeline.ts";
import { UndoStack } from "../base/undo.ts";
import { socketpair } from "../ffi/index.ts";
import type { LaunchPlan, RelayPlan } from "../plan/index.ts";
import {
  closePrepared,
  exitStatusCode,
  type Launch,
  type LaunchIo,
  launch,
} from "../runtime/index.ts";
import { type AttachStream, attachTo } from "./attach/index.ts";
import { composeEtcFiles } from "./bundle/etc-files.ts";
import { withContainer } from "./container.ts";
import { containerPaths, type Engine, ETC_FILES, journalPath } from "./engine.ts";
import { journalHead } from "./events/event.ts";
import { recordEvent } from "./events/record.ts";
import { cleanupCommand } from "./exit-command.ts";
import { checkLifecycle } from "./lifecycle.ts";
import { type PreparedRun, prepareRun, readEtcFacts, readUser } from "./prepare.ts";
import type { ContainerConfig, ContainerId, ProcessIdentity } from "./records.ts";
import { removeRunCgroup, settleSupervisor } from "./release.ts";
import { renewImage } from "./renew-image.ts";
import { rootDirectories } from "./root.ts";
import { forgetPreviousExit, restorePreviousExit, setPreviousExitAside } from "./store/exit.ts";
import { readProcessIdentity } from "./store/process-identity.ts";
import { makeRunDirectory, readBootId, removeRunDirectory, writeState } from "./store/state.ts";
import { inStore } from "./store/store-error.ts";
import { readyUpper } from "./upper.ts";
import { prepareVolumes } from "./volumes/use.ts";

export interface AttachRequest {
  /** Whether the caller will write to the container's stdin. */
  readonly stdin: boolean;
  /** The size of the caller's terminal. */
  readonly rows?: number;
  readonly cols?: number;
}

export interface StartOptions {
  /** Be connected before the container's first instruction: no byte is lost. */
  readonly attach?: AttachRequest;
  /**
   * Nobody will ask for its log or attach to it later: neither is kept. Only with `attach` and for a
   * container that is removed at its end.
   */
  readonly throwaway?: boolean;
  /** Ends a start that is under way, with ABORTED; a container that has been started runs on. */
  readonly signal?: AbortSignal;
}

export interface StartedContainer {
  readonly id: ContainerId;
  readonly pid: number;
  readonly supervisor: ProcessIdentity;
  /** RFC 3339: which of the container's runs this is. */
  readonly startedAt: string;
  readonly attachment?: AttachStream;
  /** What the kernel refused and the container can do without. */
  readonly warnings: readonly string[];
}

/** Throws WRONG_STATE for a container that runs; for a failed start, what failed, and nothing is left. */
export async function startContainer(
  engine: Engine,
  ref: string,
  options: StartOptions = {},
): Promise<StartedContainer> {
  return withContainer(
    engine,
    ref,
    async ({ config, status, exit }) => {
      checkLifecycle("start", status, config);
      const renewed = renewImage(engine, config);
      return startLocked(engine, renewed, { ...options, hasRun: exit !== undefined });
    },
    options.signal,
  );
}

/** The caller holds the container's lock. `hasRun`: there is an exit record of an earlier run. */
export async function startLocked(
  engine: Engine,
  config: ContainerConfig,
  { attach, signal, throwaway, hasRun }: StartOptions & { readonly hasRun: boolean },
): Promise<StartedContainer> {
  if (signal?.aborted) throw startAborted(config, signal.reason);
  await using undo = new UndoStack();
  const owner = () => {
    const { user } = config.process;
    return readUser(rootDirectories(engine, config), user, config.request.groupAdd);
  };
  using _volumes = await prepareVolumes(engine, config, { owner, undo });
  const prepared = await prepareRun(engine, config, attach);
  undo.defer(() => closePrepared(prepared.prepared));
  passed("prepared");
  acquire(engine, config, { hasRun, cgroup: prepared.cgroup, undo });
  passed("run directory");
  const started = await launchHeld(engine, config, {
    prepared,
    attach,
    signal,
    undo,
    throwaway: throwaway ?? false,
  });
  undo.keep();
  closePrepared(prepared.prepared);
  if (hasRun) forgetPreviousExit(engine, config.id);
  return started;
}

/** What lies on the host's own file systems during a run. The mounts are the stage's. */
function acquire(
  engine: Engine,
  config: ContainerConfig,
  { hasRun, cgroup, undo }: { hasRun: boolean; cgroup: string; undo: UndoStack },
): void {
  const { id } = config;
  const { etc, runDir } = containerPaths(engine, id);
  makeRunDirectory(engine, id);
  undo.defer(() => removeRunDirectory(engine, id));
  if (hasRun) {
    setPreviousExitAside(engine, id);
    undo.defer(() => restorePreviousExit(engine, id));
  }
  readyUpper(engine, config);
  const texts = composeEtcFiles(config, readEtcFacts(config));
  inStore("write", runDir, () => {
    for (const file of ETC_FILES) writeFileSync(etc[file], texts[file]);
  });
  undo.defer(() => removeRunCgroup(cgroup));
}

interface LaunchContext {
  readonly prepared: PreparedRun;
  readonly attach: AttachRequest | undefined;
  readonly signal: AbortSignal | undefined;
  readonly undo: UndoStack;
  readonly throwaway: boolean;
}

async function launchHeld(
  engine: Engine,
  config: ContainerConfig,
  { prepared, attach, signal, undo, throwaway }: LaunchContext,
): Promise<StartedContainer> {
  const relay = planRelay(engine, config, { attach, throwaway, cgroup: prepared.cgroup });
  const options = { fault: plannedFault(), timings: timed };
  // Throwaways come in loops of one request.
  const encoded = throwaway ? prepared.encode(relay, options) : undefined;
  const plan = encoded?.plan ?? prepared.plan(relay, options);
  passed("planned");
  const { inherit } = prepared.prepared;
  const { launched, attachment } = launchAttached(config, plan, {
    attach: attach !== undefined,
    inherit,
    encoded: encoded?.bytes,
  });
  const onAbort = () => launched.detach(); // before the release this makes the stage undo everything
  signal?.addEventListener("abort", onAbort, { once: true });
  undo.defer(() => abandon(launched, attachment));
  try {
    const pid = await launched.created;
    passed("held");
    const init = identify(pid);
    const supervisor = identify(launched.supervisorPid());
    const startedAt = new Date().toISOString();
    const { id } = config;
    writeState(engine, {
      ...{ version: 1, id, bootId: readBootId(), status: "running", startedAt },
      ...{ cgroup: prepared.cgroup, init, supervisor },
    });
    faultPoint();
    recordEvent(engine, config, "start");
    passed("state recorded");
    await release(engine, config, launched);
    passed("running");
    for (const [mark, timeNs] of launched.marks) passed(`stage: ${mark}`, timeNs);
    faultPoint();
    launched.detach();
    return {
      id,
      pid,
      supervisor,
      startedAt,
      ...(attachment ? { attachment } : {}),
      warnings: [...prepared.warnings, ...launched.warnings],
    };
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw startAborted(config, error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function startAborted({ name }: ContainerConfig, cause: unknown): TsrunError {
  return new TsrunError("ABORTED", `the start of "${name}" was aborted`, { cause });
}

/** A command that cannot be executed ends the run that was announced. */
async function release(engine: Engine, config: ContainerConfig, launched: Launch): Promise<void> {
  launched.release();
  try {
    await launched.running;
  } catch (error) {
    recordEvent(engine, config, "died", { exitCode: launchExitCode(error), signal: null });
    throw error;
  }
}

const EXIT_CODES: Readonly<Record<string, number>> = {
  COMMAND_NOT_FOUND: 127,
  COMMAND_NOT_EXECUTABLE: 126,
};

/** 125 to 127, as a shell and podman count failures to execute. */
export function launchExitCode(error: unknown): number {
  const code = error instanceof TsrunError ? EXIT_CODES[error.code] : undefined;
  return code ?? exitStatusCode({ kind: "exited", code: 125 });
}

function identify(pid: number): ProcessIdentity {
  const identity = readProcessIdentity(pid);
  if (identity) return identity;
  throw new TsrunError("LAUNCH_FAILED", `the process ${pid} ended while it was being started`, {
    hint: "Something killed it: see the kernel's log for the OOM killer.",
  });
}

/** With a client, its end of the socket pair travels to the stage as descriptor 5. */
function launchAttached(
  config: ContainerConfig,
  plan: LaunchPlan,
  {
    attach,
    inherit,
    encoded,
  }: {
    readonly attach: boolean;
    readonly inherit: readonly number[];
    readonly encoded: Uint8Array | undefined;
  },
): { readonly launched: Launch; readonly attachment: AttachStream | undefined } {
  using undo = new UndoStack();
  const nothing = openSync("/dev/null", "r+");
  undo.defer(() => closeSync(nothing));
  const title = `tsrun-supervisor ${config.name}`;
  const io = {
    ...{ stdio: [nothing, nothing, nothing] as const, title, inherit },
    ...(encoded ? { encoded } : {}),
  };
  if (!attach) return { launched: launch(plan, io), attachment: undefined };
  const [ours, theirs] = socketpair();
  undo.defer(() => closeSync(theirs));
  // First the launch: while the stage works there is time to load and make the streams.
  const launched = launchOrClose(plan, { ...io, clientFd: theirs }, ours);
  try {
    return { launched, attachment: attachTo(ours) };
  } catch (error) {
    launched.detach();
    throw error;
  }
}

function launchOrClose(plan: LaunchPlan, io: LaunchIo, ours: number): Launch {
  try {
    return launch(plan, io);
  } catch (error) {
    closeSync(ours);
    throw error;
  }
}

/** The stage undoes a launch that it was not told to release, and then it ends. */
async function abandon(launched: Launch, attachment: AttachStream | undefined): Promise<void> {
  const supervisor = readProcessIdentity(launched.supervisorPid());
  attachment?.detach();
  launched.detach();
  await settleSupervisor(supervisor);
}

/** What the supervisor keeps, records and serves. */
export function planRelay(
  engine: Engine,
  config: ContainerConfig,
  {
    attach,
    cgroup,
    throwaway = false,
  }: {
    readonly attach: AttachRequest | undefined;
    readonly cgroup: string;
    readonly throwaway?: boolean;
  },
): RelayPlan {
  const { request, id } = config;
  const paths = containerPaths(engine, id);
  const exitCommand = request.remove ? cleanupCommand(engine, id) : undefined;
  return {
    tty: request.tty ?? false,
    rows: attach?.rows ?? 0,
    cols: attach?.cols ?? 0,
    stdin: stdinMode(config, attach),
    firstClient: attach !== undefined,
    ...(throwaway ? {} : { log: logPlan(config, paths.log), socket: paths.attachSocket }),
    exitRecordPath: paths.exit,
    journal: { path: journalPath(engine), head: journalHead(config) },
    memoryEventsPath: `${cgroup}/memory.events`,
    ...(exitCommand ? { exitCommand } : {}),
    exitDrainMs: EXIT_DRAIN_MS,
  };
}

/** The request counts the current file as one of them; the supervisor counts the others. */
function logPlan({ request }: ContainerConfig, path: string): NonNullable<RelayPlan["log"]> {
  const { maxSizeBytes = 0, maxFiles = 0 } = request.log ?? {};
  return { path, maxSizeBytes, maxFiles: Math.max(0, maxFiles - 1) };
}

/** Processes outside the container's pid namespace may hold its pipes open for ever. */
const EXIT_DRAIN_MS = 500;

/**
 * A pipe's other end goes with the client that feeds it; a terminal stays for the next one to attach.
 */
function stdinMode(
  { request }: ContainerConfig,
  attach: AttachRequest | undefined,
): RelayPlan["stdin"] {
  if (!request.interactive) return "closed";
  return attach?.stdin && !request.tty ? "once" : "open";
}

/** Only for the crash tests. */
function plannedFault(): LaunchPlan["fault"] {
  if (!requestedFault || requestedFault.kind === "step") return undefined;
  return { op: requestedFault.at, pid: requestedFault.kind === "op" ? process.pid : 0 };
}
