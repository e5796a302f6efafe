/**
 * Owns a container's cgroup: its place, its limits as cgroup v2 values, its device filter; freezing,
 * killing, measuring, changing and removing it. It refuses cgroup v1, and any limit that it could
 * not enforce. Start with plan.ts (a launch), then plan-values.ts (OCI's resources in v2's terms).
 */
export type { Controller } from "./controllers.ts";
export { readEvents, readOomKills } from "./events.ts";
export type { CgroupFacts, CgroupLevel } from "./facts.ts";
export { freezeCgroup, thawCgroup } from "./freeze.ts";
export { killCgroup, waitEmpty } from "./kill.ts";
export { parseCgroupPath } from "./path.ts";
export { type CgroupOwner, type CgroupPlan, planCgroup } from "./plan.ts";
export { cpuWeight } from "./plan-cpu.ts";
export { planDeviceFilter } from "./plan-device-filter.ts";
export { planRdt, type RdtFacts, rdtGroup } from "./plan-rdt.ts";
export { planValues } from "./plan-values.ts";
export {
  probeCgroups,
  readControllers,
  readDefaultParent,
  readHierarchy,
  readRdtFacts,
} from "./probe.ts";
export { readProcs } from "./procs.ts";
export { removeCgroup } from "./remove.ts";
export { removeRdt } from "./remove-rdt.ts";
export { type CgroupStats, readStats } from "./stats.ts";
export { updateCgroup } from "./update.ts";
