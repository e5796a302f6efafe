/**
 * Drives tsrun-stage from the tests: a plan in, raw reports out, the control socket in hand.
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  createSealedMemfd,
  kill,
  pidfdOpen,
  pipe2,
  processExists,
  socketpair,
  spawnStage,
  waitChild,
  waitReadable,
} from "../../src/ffi/index.ts";
import {
  encodePlan,
  type LaunchPlan,
  type Op,
  type Phase,
  type PlannedOp,
  ReportDecoder,
  type ReportKind,
  SLOT_CWD,
  type StageReport,
} from "../../src/plan/index.ts";

export const NATIVE = join(import.meta.dirname, "..", "..", "native");
export const STAGE = process.env["TSRUN_TEST_STAGE"] ?? join(NATIVE, "build", "tsrun-stage");

/** CLONE_NEW* of linux/sched.h. */
export const CLONE = {
  newns: 0x2_0000,
  newuts: 0x400_0000,
  newipc: 0x800_0000,
  newuser: 0x1000_0000,
  newpid: 0x2000_0000,
  newnet: 0x4000_0000,
} as const;
/** Everything that clone3 makes for an ordinary container. */
export const FULL = CLONE.newns | CLONE.newuts | CLONE.newipc | CLONE.newpid | CLONE.newnet;

/** Test files run at the same time: one of them builds, the others wait for it. */
export function buildStage(): void {
  execFileSync("flock", [NATIVE, "make", "-s", "-C", NATIVE, "all"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

export function planned(phase: Phase, op: Op, more: Partial<PlannedOp> = {}): PlannedOp {
  return { phase, op, origin: "test", ...more };
}

export function exec(...argv: string[]): PlannedOp {
  const env = ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"];
  return planned("child", { kind: "exec", lists: { argv, env, candidates: [argv[0] ?? ""] } });
}

export function sh(script: string): PlannedOp {
  return exec("/bin/sh", "-c", script);
}

export interface PlanOptions {
  readonly cloneFlags?: number;
  readonly cgroupSlot?: LaunchPlan["cgroupSlot"];
  readonly inheritedFds?: number;
  readonly supervision?: Partial<LaunchPlan["supervision"]>;
  readonly fault?: LaunchPlan["fault"];
}

export function plan(ops: readonly PlannedOp[], options: PlanOptions = {}): LaunchPlan {
  return {
    ops,
    cloneFlags: options.cloneFlags ?? 0,
    cgroupSlot: options.cgroupSlot ?? SLOT_CWD,
    inheritedFds: options.inheritedFds ?? 0,
    supervision: {
      daemon: false,
      dieWithParent: false,
      childDiesWithStage: true,
      holdMounts: false,
      timings: false,
      ...options.supervision,
    },
    ...(options.fault ? { fault: options.fault } : {}),
  };
}

/** A stage at work. */
export class Stage {
  readonly pid: number;
  readonly control: number;
  readonly reports: StageReport[] = [];
  readonly #output: number;
  readonly #pidfd: number;
  readonly #decoder = new ReportDecoder();
  readonly #openControl = new DisposableStack();

  private constructor(pid: number, control: number, output: number) {
    this.pid = pid;
    this.control = control;
    this.#openControl.defer(() => closeSync(control));
    this.#output = output;
    this.#pidfd = pidfdOpen(pid);
  }

  static start(
    given: LaunchPlan | Uint8Array,
    options: { inherit?: number[]; client?: number; stdin?: number; title?: string } = {},
  ): Stage {
    const bytes = given instanceof Uint8Array ? given : encodePlan(given);
    const planFd = createSealedMemfd("tsrun-plan", bytes);
    const [ours, theirs] = socketpair();
    const [read, write] = pipe2();
    const null_ = openSync("/dev/null", "r");
    const fds = [options.stdin ?? null_, write, write, planFd, theirs, options.client ?? null_];
    try {
      const pid = spawnStage({
        stage: STAGE,
        argv: [options.title ?? "tsrun-stage"],
        fds: [...fds, ...(options.inherit ?? [])],
        env: [],
      });
      return new Stage(pid, ours, read);
    } finally {
      for (const fd of [planFd, theirs, write, null_]) closeSync(fd);
    }
  }

  /** Reads until a report of one of these kinds, or the end of file (undefined). */
  async next(...kinds: ReportKind[]): Promise<StageReport | undefined> {
    for (let at = 0; ; ) {
      for (; at < this.reports.length; at++) {
        const report = this.reports[at];
        if (report && kinds.includes(report.kind)) return report;
      }
      await waitReadable(this.control);
      const buffer = new Uint8Array(4096);
      const size = readSync(this.control, buffer);
      if (size === 0) return undefined;
      this.reports.push(...this.#decoder.push(buffer.subarray(0, size)));
    }
  }

  go(): void {
    writeSync(this.control, "G");
  }

  hangUp(): void {
    this.#openControl.dispose();
  }

  /** Reaps the process that was started: "exited 0", "killed 9". */
  async end(): Promise<string> {
    const end = await waitChild(this.#pidfd);
    return end.kind === "exited" ? `exited ${end.code}` : `killed ${end.signal}`;
  }

  /** What is written to stdout and stderr next. */
  async written(): Promise<string> {
    await waitReadable(this.#output);
    const buffer = Buffer.alloc(65536);
    return buffer.subarray(0, readSync(this.#output, buffer)).toString();
  }

  /** Everything that was written to stdout and stderr, once nobody has them open any more. */
  async output(): Promise<string> {
    const chunks: Buffer[] = [];
    for (;;) {
      await waitReadable(this.#output);
      const buffer = Buffer.alloc(65536);
      const size = readSync(this.#output, buffer);
      if (size === 0) return Buffer.concat(chunks).toString();
      chunks.push(buffer.subarray(0, size));
    }
  }

  [Symbol.dispose](): void {
    this.hangUp();
    closeSync(this.#output);
    closeSync(this.#pidfd);
  }
}

export interface Outcome {
  readonly kinds: readonly string[];
  readonly failed?: string;
  readonly exited?: string;
  readonly stage: string;
  readonly output: string;
  readonly reports: readonly StageReport[];
}

/** A whole launch: what was reported, how the stage ended, what the container wrote. */
export async function run(
  given: LaunchPlan | Uint8Array,
  options: Parameters<typeof Stage.start>[1] = {},
): Promise<Outcome> {
  using stage = Stage.start(given, options);
  const output = stage.output();
  while (await stage.next());
  const ended = await stage.end();
  const failed = stage.reports.find((report) => report.kind === "failed");
  const exited = stage.reports.find((report) => report.kind === "exited");
  return {
    kinds: stage.reports.map((report) => report.kind),
    ...(failed ? { failed: `${failed.opIndex ?? "none"} ${errno(failed.error)}` } : {}),
    ...(exited ? { exited: `${exited.error === 1 ? "exited" : "killed"} ${exited.value}` } : {}),
    stage: ended,
    output: await output,
    reports: stage.reports,
  };
}

const NAMES = new Map([
  [1, "EPERM"],
  [2, "ENOENT"],
  [3, "ESRCH"],
  [4, "EINTR"],
  [7, "E2BIG"],
  [8, "ENOEXEC"],
  [9, "EBADF"],
  [13, "EACCES"],
  [16, "EBUSY"],
  [17, "EEXIST"],
  [18, "EXDEV"],
  [20, "ENOTDIR"],
  [22, "EINVAL"],
  [40, "ELOOP"],
  [71, "EPROTO"],
  [125, "ECANCELED"],
  [130, "EOWNERDEAD"],
]);

export function errno(code: number): string {
  return NAMES.get(code) ?? String(code);
}

/** Polls until it holds; rejects with `what` after five seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !holds(); ) {
    if (Date.now() > end) throw new Error(`still not so after 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Neither running nor a zombie that only waits to be reaped. */
export function isGone(pid: number): boolean {
  if (!processExists(pid)) return true;
  try {
    return /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true; // it went between the two looks
  }
}

export function killNow(pid: number): void {
  kill(pid, "SIGKILL");
}
