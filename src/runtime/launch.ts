/**
 * Carrying a plan out: the stage is started with the plan's bytes and its reports become promises.
 * This is the thin half of the runtime; what is to be done has been decided before.
 */
import { closeSync, existsSync, readSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { passed } from "../base/timeline.ts";
import { UndoStack } from "../base/undo.ts";
import {
  aborted,
  createSealedMemfd,
  openStageMemfd,
  pidfdOpen,
  socketpair,
  spawnStage,
  waitChild,
  waitReadable,
} from "../ffi/index.ts";
import {
  CLD,
  CONTROL_GO,
  encodePlan,
  type LaunchPlan,
  type Mark,
  ReportDecoder,
  type StageReport,
} from "../plan/index.ts";
import type { ExitStatus } from "./exit-status.ts";
import { launchError, warningText } from "./failure.ts";

export interface LaunchIo {
  /** Descriptors that become the stage's 0, 1 and 2: the container's own stdio unless the plan relays. */
  readonly stdio: readonly [number, number, number];
  /** The supervisor's end of a socket pair: the first attach client. */
  readonly clientFd?: number;
  /** Descriptors that become the plan's first slots. */
  readonly inherit?: readonly number[];
  /** The plan's bytes, where the caller has them. */
  readonly encoded?: Uint8Array;
  /** argv[0] of the stage, as ps(1) shows it. */
  readonly title?: string;
}

/** A launch under way. A promise that nobody awaits does not end the process when it rejects. */
export interface Launch {
  /** The container's first process waits before its exec; its pid on the host. Only for plans with a hold. */
  readonly created: Promise<number>;
  /** The next time that it waits so, for plans with several holds. Ask before the release. */
  readonly nextHold: () => Promise<number>;
  /** It waits for its start alone, and the stage has left it; the pid. Only for plans with awaitStart. */
  readonly waiting: Promise<number>;
  /** execve has succeeded; the pid. */
  readonly running: Promise<number>;
  /** How the first process ended. A daemon's caller may stop listening before that. */
  readonly exited: Promise<ExitStatus>;
  /** The process that stays: the stage, or the daemon it became. Known once `created` or `running` is. */
  readonly supervisorPid: () => number;
  /** Lets a held process go on. */
  readonly release: () => void;
  /** The stage is reaped (not a daemon's): what it left is the nearest subreaper's. */
  readonly ended: Promise<void>;
  /** Stops listening: a daemon and its container go on by themselves; a launch still held is undone. */
  readonly detach: () => void;
  /** Tolerated failures that the plan wants told, as sentences. */
  readonly warnings: readonly string[];
  /** When the points of the launch were passed, CLOCK_MONOTONIC nanoseconds (plans with timings). */
  readonly marks: ReadonlyMap<Mark, bigint>;
}

/**
 * Starts the stage. Throws at once if it cannot be started; what the plan meets later rejects
 * `created`, `running` and `exited` with LAUNCH_FAILED, COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE.
 */
export function launch(plan: LaunchPlan, io: LaunchIo): Launch {
  using undo = new UndoStack();
  const stage = openStageMemfd(stagePath());
  const planFd = createSealedMemfd("tsrun-plan", io.encoded ?? encodePlan(plan));
  passed("encoded");
  undo.defer(() => closeSync(planFd));
  const [ours, theirs] = socketpair();
  undo.defer(() => closeSync(theirs));
  const inherited = io.inherit ?? [];
  // Descriptor 5 must be something: without a client it is a second name of the control socket's
  // peer, which the stage closes unread.
  const fds = [...io.stdio, planFd, theirs, io.clientFd ?? planFd, ...inherited];
  let pid: number;
  try {
    pid = spawnStage({ stage, argv: [io.title ?? "tsrun-stage"], fds, env: [] });
  } catch (error) {
    closeSync(ours);
    throw error;
  }
  passed("stage spawned");
  return new LaunchInProgress(plan, ours, pid);
}

class LaunchInProgress implements Launch {
  readonly warnings: string[] = [];
  readonly marks = new Map<Mark, bigint>();
  readonly #created = settleable<number>();
  readonly #waiting = settleable<number>();
  readonly #ended = settleable<void>();
  #nextHold: Settleable<number> | undefined;
  readonly #running = settleable<number>();
  readonly #exited = settleable<ExitStatus>();
  readonly #plan: LaunchPlan;
  /** -1 once it is closed: a number that was another file by now must not be written to. */
  #control: number;
  readonly #decoder = new ReportDecoder();
  readonly #detached = new AbortController();
  readonly #stagePid: number;
  #supervisorPid: number;

  constructor(plan: LaunchPlan, control: number, stagePid: number) {
    this.#plan = plan;
    this.warnings.push(...(plan.warnings ?? []));
    this.#control = control;
    this.#stagePid = stagePid;
    this.#supervisorPid = stagePid;
    void this.#listen();
  }

  get created(): Promise<number> {
    return this.#created.promise;
  }

  get waiting(): Promise<number> {
    return this.#waiting.promise;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get running(): Promise<number> {
    return this.#running.promise;
  }

  get exited(): Promise<ExitStatus> {
    return this.#exited.promise;
  }

  readonly supervisorPid = (): number => this.#supervisorPid;

  readonly nextHold = (): Promise<number> => {
    this.#nextHold = settleable<number>();
    return this.#nextHold.promise;
  };

  readonly release = (): void => {
    writeSync(this.#control, CONTROL_GO);
  };

  readonly detach = (): void => {
    this.#detached.abort();
  };

  async #listen(): Promise<void> {
    const pidfd = pidfdOpen(this.#stagePid);
    try {
      if (this.#plan.supervision.daemon) {
        // The first process only forks the daemon: reaped while the daemon works on.
        void waitChild(pidfd).finally(() => closeSync(pidfd));
      }
      await this.#readReports();
      this.#close(); // a stage that still holds its child takes the end of file as "undo", and ends
      if (!this.#plan.supervision.daemon) await this.#reap(pidfd);
      this.#ended.resolve();
      this.#fail(this.#detached.signal.aborted ? aborted(this.#detached.signal) : lostStage());
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#close();
    }
  }

  /** Not awaited by anybody who waits for the exit: the stage may still unmount (syncfs takes its time). */
  async #reap(pidfd: number): Promise<void> {
    try {
      await waitChild(pidfd);
    } finally {
      closeSync(pidfd);
    }
  }

  async #readReports(): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (;;) {
      if (!(await this.#readable())) return;
      const size = readSync(this.#control, buffer);
      if (size === 0) return;
      for (const report of this.#decoder.push(buffer.subarray(0, size))) this.#take(report);
    }
  }

  async #readable(): Promise<boolean> {
    const { signal } = this.#detached;
    if (signal.aborted) return false;
    try {
      await waitReadable(this.#control, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false; // our own detach
      throw error;
    }
  }

  #take(report: StageReport): void {
    switch (report.kind) {
      case "created":
        (this.#nextHold ?? this.#created).resolve(report.value);
        break;
      case "waiting":
        this.#waiting.resolve(report.value);
        break;
      case "running":
        this.#running.resolve(report.value);
        break;
      case "exited":
        this.#exited.resolve(exitStatus(report));
        break;
      case "failed":
        this.#fail(launchError(this.#plan, report));
        break;
      case "warned":
        this.warnings.push(warningText(this.#plan, report));
        break;
      case "phase":
        if (report.mark) this.marks.set(report.mark, report.timeNs);
        break;
      case "supervisor":
        this.#supervisorPid = report.value;
        break;
    }
  }

  #fail(error: unknown): void {
    this.#created.reject(error);
    this.#nextHold?.reject(error);
    this.#waiting.reject(error);
    this.#ended.reject(error);
    this.#running.reject(error);
    this.#exited.reject(error);
  }

  #close(): void {
    const control = this.#control;
    this.#control = -1;
    if (control >= 0) closeSync(control);
  }
}

function exitStatus({ error, value }: StageReport): ExitStatus {
  return error === CLD.exited ? { kind: "exited", code: value } : { kind: "killed", signal: value };
}

function lostStage(): TsrunError {
  return new TsrunError("SUPERVISOR_LOST", "the container's supervisor ended without a report", {
    hint: "It was killed, or the machine is out of memory; see the kernel's log.",
  });
}

interface Settleable<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function settleable<T>(): Settleable<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  // Whoever awaits it still gets the rejection; a caller that only wants `exited` need not handle all.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

let foundStage: string | undefined;

/** The stage beside this package: built below native/, wherever the bundle that runs lies. */
export function stagePath(): string {
  if (foundStage !== undefined) return foundStage;
  for (let dir = import.meta.dirname; ; dir = dirname(dir)) {
    const candidate = join(dir, "native", "build", "tsrun-stage");
    if (existsSync(candidate)) {
      foundStage = candidate;
      return candidate;
    }
    if (dir === "/") break;
  }
  throw new TsrunError("UNSUPPORTED", "the launcher tsrun-stage is not built", {
    hint: 'Run "npm run build" in the tsrun folder.',
  });
}
