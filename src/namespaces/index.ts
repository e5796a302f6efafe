/**
 * Owns the eight namespaces of a container: which are new, which are joined and in what order, the
 * id maps, clock offsets and names inside them. It refuses specifications that contradict
 * themselves, and never makes a namespace: it says what to ask for, the stage asks.
 * Start with plan.ts (a launch), then plan-joins.ts (who may call setns(2)) and plan-exec.ts.
 */
export { cloneFailureHint } from "./clone-failure.ts";
export type { NamespaceFacts, NamespaceFile, NamespaceId, NamespaceIds } from "./facts.ts";
export { formatIdMap, parseIdMap, toContainerId, toHostId } from "./id-map.ts";
export { allocateIdRange, type IdRange } from "./id-range.ts";
export { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";
export { type NamespacePlan, planNamespaces } from "./plan.ts";
export { planExecJoin } from "./plan-exec.ts";
export { readIdMap, readNamespaceFacts, readNamespaces } from "./probe.ts";
export { foreignNamespaces } from "./request.ts";
export { parseSubordinateIds, planOwnIdMap } from "./subordinate-ids.ts";
