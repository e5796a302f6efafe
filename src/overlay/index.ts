/**
 * Owns the layers of a root file system: the mount that they make (as data), the writable layer of a
 * container, what it changed, and copying files in and out. It never runs anything, and mounts only
 * what is attached nowhere. Start with plan.ts.
 */
export type { OverlayFacts } from "./facts.ts";
export { mountDetached } from "./mount.ts";
export { type OverlayRequest, planOverlay } from "./plan.ts";
export { probeOverlay } from "./probe.ts";
export { removeTree } from "./remove-tree.ts";
export { createUpper, forgetVolatile, removeUpper, type UpperDirectories } from "./upper.ts";
