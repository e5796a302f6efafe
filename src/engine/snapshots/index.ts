/**
 * Owns a container's snapshots, its clones, and the layers that they share. It refuses to copy where a name
 * will do, and to count who uses a layer: the records say it. Start with plan.ts, then take.ts.
 */
export { type CloneOptions, cloneContainer } from "./clone.ts";
export { listSnapshots, type SnapshotView } from "./list.ts";
export { removeSnapshot, restoreContainer } from "./restore.ts";
export { snapshotContainer } from "./take.ts";
