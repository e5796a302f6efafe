/**
 * What each descriptor slot of a plan holds, in words: descriptors are called what they were opened
 * for, and paths below the container's root begin with ROOT.
 */
import type { Phase } from "./abi.ts";
import { type Op, type OpKind, type OpOf, SLOT_CWD, type Slot } from "./ops.ts";
import type { LaunchPlan } from "./plan.ts";

type Slots = Pick<LaunchPlan, "ops" | "inheritedFds">;

/** The order in which the phases' ops are carried out. */
const PHASES: readonly Phase[] = ["host", "parent", "child", "teardown"];

/** What each descriptor slot holds at this point of the plan, in words. */
export class SlotNames {
  readonly #names = new Map<Slot, string>();
  /** The slot of the container's root: the directory that the child enters before pivot_root. */
  readonly #root: Slot | undefined;

  constructor({ ops, inheritedFds }: Slots) {
    for (let index = 0; index < inheritedFds; index++) {
      this.#names.set(index as Slot, `inherited[${index}]`);
    }
    const pivot = ops.findIndex(({ op }) => op.kind === "pivotRoot");
    const entered = ops.slice(0, Math.max(pivot, 0)).findLast(({ op }) => op.kind === "fchdir")?.op;
    this.#root = entered?.kind === "fchdir" ? entered.slot : undefined;
  }

  of(slot: Slot): string {
    if (slot === SLOT_CWD) return ".";
    return slot === this.#root ? "ROOT" : (this.#names.get(slot) ?? `[${slot}]`);
  }

  /** A path below the directory in the slot. */
  below(dir: Slot, path: string): string {
    if (dir === SLOT_CWD) return path;
    const rest = path.replace(/^\/+/, "").replace(/(^|\/)\.$/, "");
    return rest === "" ? this.of(dir) : `${this.of(dir)}/${rest}`;
  }

  learn(op: Op): void {
    const held = HELD[op.kind] as ((op: Op, names: SlotNames) => string) | undefined;
    if (held && "out" in op) this.#names.set(op.out, held(op, this));
    // Where a tree is attached it goes by its new place.
    if (op.kind === "moveMount" && op.to !== SLOT_CWD) this.#names.set(op.from, this.of(op.to));
  }
}

type Held = { readonly [K in OpKind]?: (op: OpOf<K>, names: SlotNames) => string };

const HELD: Held = {
  open: (op, names) => names.below(op.dir, op.path),
  openat2: (op, names) => names.below(op.dir, op.path),
  openTree: (op, names) => names.below(op.dir, op.path),
  fsopen: (op) => op.fstype,
  fsmount: (op, names) => `${names.of(op.fs)}-mount`,
  bpfProgLoad: () => "program",
  openPty: () => "pty",
};

/** The names that hold when the plan's op at `index` is carried out: slots are used again and again. */
export function slotNamesAt(plan: Slots, index: number): SlotNames {
  const names = new SlotNames(plan);
  for (const phase of PHASES) {
    for (const [at, planned] of plan.ops.entries()) {
      if (planned.phase !== phase) continue;
      if (at === index) return names;
      names.learn(planned.op);
    }
  }
  return names;
}
