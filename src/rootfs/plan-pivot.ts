/** The container's root becomes "/": by pivot_root(2), or where that cannot be by moving it there. */
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import { MNT_DETACH, MS } from "./flags.ts";
import { opMaker } from "./ops.ts";

/**
 * pivot_root(".", "."): the old root is stacked on the new one and comes off again at once, so that no
 * directory for it is needed (pivot_root(2), "pivot_root(".", ".")").
 */
export function planPivot(root: Slot): PlannedOp[] {
  const child = opMaker("child", "root");
  return [
    child({ kind: "fchdir", slot: root }),
    child(
      { kind: "pivotRoot", newRoot: ".", putOld: "." },
      { hint: "pivot_root(2) does not work where the host's own root is the initial ramfs." },
    ),
    child({ kind: "umount", path: ".", flags: MNT_DETACH }),
    child({ kind: "chdir", path: "/" }),
  ];
}

/** What the initial ramfs allows: the root is moved over it, which only hides what lies below. */
export function planMoveToRoot(root: Slot): PlannedOp[] {
  const child = opMaker("child", "root");
  return [
    child({ kind: "fchdir", slot: root }),
    child({
      ...{ kind: "mount", source: ".", fstype: "", data: "", flags: MS.MOVE },
      ...{ at: SLOT_CWD, target: "/" },
    }),
    child({ kind: "chroot", path: "." }),
    child({ kind: "chdir", path: "/" }),
  ];
}
