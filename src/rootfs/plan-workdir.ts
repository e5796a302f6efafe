import type { PlannedOp, Slot } from "../plan/index.ts";

/** A working directory that is missing is made, as runc does: before the root becomes read-only. */
export function planWorkdir(cwd: string, root: Slot): PlannedOp[] {
  if (cwd === "/") return [];
  return [
    {
      op: { kind: "mkdirBelow", path: cwd, root, mode: 0o755 },
      phase: "child",
      origin: "process.cwd",
      tolerate: ["EROFS", "EACCES"],
    },
  ];
}
