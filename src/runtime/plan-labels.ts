/**
 * Mandatory access control labels: written to this process's attributes and taken on by the next exec.
 * They are written first, while /proc is still the host's own: once the container's mounts are there,
 * a file named /proc/self/attr/exec may be anything (CVE-2019-16884, CVE-2025-52881).
 */
import { type PlannedOp, SLOT_CWD } from "../plan/index.ts";
import type { OciProcess } from "../spec/index.ts";

export function planLabels(process: OciProcess): PlannedOp[] {
  const ops: PlannedOp[] = [];
  if (process.apparmorProfile && process.apparmorProfile !== "unconfined") {
    ops.push(
      writeLabel(
        "/proc/self/attr/apparmor/exec",
        `exec ${process.apparmorProfile}`,
        "process.apparmorProfile",
      ),
    );
  }
  if (process.selinuxLabel) {
    ops.push(writeLabel("/proc/self/attr/exec", process.selinuxLabel, "process.selinuxLabel"));
  }
  return ops;
}

function writeLabel(path: string, data: string, origin: string): PlannedOp {
  return {
    op: { kind: "writeFile", path, data, dir: SLOT_CWD, flags: 0 },
    phase: "child",
    origin,
    hint: "Load the profile into the kernel first, or run with the label disabled.",
  };
}
