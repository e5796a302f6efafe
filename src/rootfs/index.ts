/**
 * Owns what a container sees as its file system: the root, mounts, /dev, masked and read-only paths,
 * sysctls and the generated files in /etc. It refuses what would lead out of the root or into the
 * host, and never mounts anything on the host: it says what to ask for, the stage asks.
 * Start with plan.ts; mount-options.ts is the table of options.
 */
export { createCopiedUpMounts, type PreparedMount } from "./copy-up.ts";
export type { RootfsFacts, SourceKind } from "./facts.ts";
export { type IdMaps, type IdMapsKey, idMapsNeeded } from "./id-maps.ts";
export { type MountOptions, mountOptionNames } from "./mount-options.ts";
export { planRootfs, type RootfsPlan, type RootfsPlanInput } from "./plan.ts";
export { readRootfsFacts } from "./probe.ts";
