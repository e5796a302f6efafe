/**
 * Owns images: their names, configurations and layers, and how a tarball or a directory becomes one.
 * It refuses archives that would write outside their layer, and never runs anything.
 * Start with store.ts (what lies where), then import.ts.
 */
