import type { Phase } from "./abi.ts";
import type { ExecLists, Op, Slot } from "./ops.ts";

/** An op with its place in the launch, the field it came from, and what its failure means. */
export interface PlannedOp {
  readonly op: Op;
  readonly phase: Phase;
  /** The configuration field this request comes from, e.g. "mounts[3]" or "linux.resources.memory.limit". */
  readonly origin: string;
  /** errnos (at most two) that are no failure here. */
  readonly tolerate?: readonly ToleratedErrno[];
  /** The sentence a tolerated failure is reported with; without it, it passes in silence. */
  readonly warning?: string;
  /** After success, leave out so many of the following ops of the same phase. */
  readonly skipOk?: number;
  /** After a tolerated failure, leave out so many of the following ops of the same phase. */
  readonly skipFailed?: number;
  /** What to tell the user where the origin and errno alone would not help. */
  readonly hint?: string;
}

/** The numbers of the errnos that a plan may tolerate (the same on every architecture that Node runs on). */
export const TOLERATED_ERRNOS = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EBADF: 9,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EINVAL: 22,
  EROFS: 30,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOPNOTSUPP: 95,
} as const;
export type ToleratedErrno = keyof typeof TOLERATED_ERRNOS;

/** What the stage does besides waiting when it owns the container's stdio. */
export interface RelayPlan {
  readonly tty: boolean;
  readonly rows: number;
  readonly cols: number;
  readonly stdin: "closed" | "open" | "once";
  /** Descriptor 5 is an attach client from the start. */
  readonly firstClient: boolean;
  readonly log?: {
    readonly path: string;
    readonly maxSizeBytes: number;
    readonly maxFiles: number;
  };
  readonly socket?: { readonly dir: string; readonly name: string };
  readonly exitRecordPath?: string;
  readonly journal?: {
    readonly path: string;
    /** The beginning of each line: a JSON object without its closing brace. */
    readonly head: string;
  };
  readonly memoryEventsPath?: string;
  readonly exitCommand?: ExecLists;
  readonly exitDrainMs: number;
}

/** Everything one launch asks of the kernel, in order. Pure data: `tsrun plan` prints it, the stage does it. */
export interface LaunchPlan {
  /** Sorted by phase: host, parent, child, teardown; the child's last op is "exec". */
  readonly ops: readonly PlannedOp[];
  /** CLONE_NEW* for clone3; never CLONE_NEWCGROUP or CLONE_NEWTIME (those are unshare ops). */
  readonly cloneFlags: number;
  readonly cgroupSlot: Slot;
  /** How many descriptors the caller passes; they become slots 0, 1, … */
  readonly inheritedFds: number;
  readonly supervision: {
    readonly daemon: boolean;
    readonly dieWithParent: boolean;
    readonly childDiesWithStage: boolean;
    readonly holdMounts: boolean;
    readonly timings: boolean;
    /** The stage ends once the child waits (awaitStart) or has executed its program: nobody of ours stays. */
    readonly leave?: boolean;
    readonly relay?: RelayPlan;
  };
  /** Sentences about what was asked for and is left out. */
  readonly warnings?: readonly string[];
  /** Only the fault tests set it: SIGKILL to `pid` (0: the stage) before op `op`. */
  readonly fault?: { readonly op: number; readonly pid: number };
}

/** Hands out the stage's descriptor slots while a plan is being computed. */
export class SlotAllocator {
  #next: number;

  /** The first `inherited` slots hold the descriptors that the caller passes. */
  constructor(inherited = 0) {
    this.#next = inherited;
  }

  take(): Slot {
    return this.#next++ as Slot;
  }
}
