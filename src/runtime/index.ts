/**
 * Owns the way from an OCI specification to a running process: it puts the mechanisms' plans in order,
 * starts the stage and reads its reports. It refuses to know of names, images or records.
 * Start with plan-container.ts, then launch.ts.
 */
export {
  type CgroupStats,
  type Controller,
  freezeCgroup,
  killCgroup,
  planValues,
  readControllers,
  readDefaultParent,
  readHierarchy,
  readOomKills,
  readProcs,
  readStats,
  removeCgroup,
  removeRdt,
  thawCgroup,
  updateCgroup,
} from "../cgroups/index.ts";
export {
  allocateIdRange,
  type IdRange,
  parseSubordinateIds,
  readIdMap,
  readNamespaces,
  toContainerId,
  toHostId,
} from "../namespaces/index.ts";
export { mountOptionNames } from "../rootfs/index.ts";
export {
  CAPABILITIES,
  type MachineArch,
  machineArch,
  planSecurity,
  readCapabilityFacts,
  readSeccompProfile,
  readSecurityFacts,
  SECCOMP_ACTION_NAMES,
  type SecurityFacts,
  type SecurityOptions,
  type SecurityPlan,
} from "../security/index.ts";
export { type ExitStatus, exitStatusCode } from "./exit-status.ts";
export { type HostFacts, probeHost } from "./facts.ts";
export { execError } from "./failure.ts";
export { type Launch, type LaunchIo, launch, stagePath } from "./launch.ts";
export { createOwnUserNamespace, type OwnIds } from "./own-user-namespace.ts";
export { type Placeholder, startPlaceholder } from "./placeholder.ts";
export { type ContainerLaunch, type HandOver, planContainer } from "./plan-container.ts";
export { type ExecLaunch, planExec } from "./plan-exec.ts";
export { type ListenerState, planListener } from "./plan-listener.ts";
export type { CompiledSeccomp } from "./plan-process.ts";
export {
  closePrepared,
  compile as compileSeccomp,
  type Prepared,
  prepareLaunch,
} from "./prepare.ts";
export { openProcess, waitForEnd } from "./process-identity.ts";
