/**
 * The plan's vocabulary: what a launch asks of the kernel, as plain data, and the bytes it becomes.
 * It knows no container and touches nothing. Start with ops.ts (one op, one kernel request), then
 * plan.ts (an op's place and origin); native/plan.h is the other side of encode.ts.
 */
export * from "./abi.ts";
export { describeOp } from "./describe.ts";
export { encodePlan } from "./encode.ts";
export { type ExecLists, type Op, type OpKind, type OpOf, SLOT_CWD, type Slot } from "./ops.ts";
export {
  type LaunchPlan,
  type PlannedOp,
  type RelayPlan,
  SlotAllocator,
  type ToleratedErrno,
} from "./plan.ts";
export { planToJson, printPlan } from "./print.ts";
export { ReportDecoder, type StageReport } from "./reports.ts";
export { slotNamesAt } from "./slot-names.ts";
export { WIRE } from "./wire.ts";
