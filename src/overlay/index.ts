/**
 * Owns layers: an image's layers and a container's upper as one overlay (as data; the runtime mounts
 * it), the upper's making and removal, and what it changed. It refuses file systems that cannot carry
 * an upper, and never mounts anything where the host could see it. Start with plan.ts.
 */
export { openDetachedRoot } from "./detached.ts";
export { type Change, type ChangeKind, readDiff } from "./diff.ts";
export { mergeLayers } from "./merge.ts";
export { readMergedFiles } from "./merged-file.ts";
export { type OverlayFacts, planOverlay } from "./plan.ts";
export { probeOverlay } from "./probe.ts";
export { createUpper, type Upper } from "./upper.ts";
