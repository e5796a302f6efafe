/**
 * Owns the units that systemd makes for containers: their names and places, their properties from a
 * specification's limits and annotations, and the talk with systemd over D-Bus. It refuses to know of
 * processes and of the cgroup's files. Start with plan-unit.ts, then connection.ts.
 */
export { connectSystemd, type Systemd } from "./connection.ts";
export { planAnnotations } from "./plan-annotations.ts";
export { planLimits } from "./plan-limits.ts";
export { parseUnit, planCgroupsPath, planUnitStart, type Unit } from "./plan-unit.ts";
export type { UnitProperty } from "./unit-property.ts";
