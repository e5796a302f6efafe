import { type Phase, type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";

/** O_CLOEXEC of fcntl.h; O_RDONLY is 0. The same on x86-64 and arm64. */
const O_CLOEXEC = 0o2000000;

interface Place {
  readonly phase: Phase;
  readonly origin: string;
}

export function openReadOnly(path: string, out: Slot, place: Place): PlannedOp {
  return { ...place, op: { kind: "open", path, dir: SLOT_CWD, flags: O_CLOEXEC, out } };
}

/** `flags` are the CLONE_NEW* that the file must be, or the ones to take of a pidfd. setns(2). */
export function setns(slot: Slot, flags: number, place: Place): PlannedOp {
  return { ...place, op: { kind: "setns", slot, flags } };
}
