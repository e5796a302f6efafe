import { type LaunchPlan, type PlannedOp, SLOT_CWD } from "../plan/index.ts";

/**
 * A process that only is there, held until whoever launched it lets go: then it is undone. It dies with the
 * caller, and its program is never executed. `before` is done before it is held; `origin` wants it.
 */
export function planHeld({
  before = [],
  cloneFlags = 0,
  origin,
}: {
  readonly before?: readonly PlannedOp[];
  readonly cloneFlags?: number;
  readonly origin: string;
}): LaunchPlan {
  const held = { phase: "child", origin } as const;
  return {
    ops: [
      ...before,
      { ...held, op: { kind: "hold" } },
      { ...held, op: { kind: "exec", lists: { argv: [""], env: [], candidates: [""] } } },
    ],
    cloneFlags,
    cgroupSlot: SLOT_CWD,
    inheritedFds: 0,
    supervision: {
      daemon: false,
      dieWithParent: true,
      childDiesWithStage: true,
      holdMounts: false,
      timings: false,
    },
  };
}
