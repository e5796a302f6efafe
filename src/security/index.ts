/**
 * Owns what a container may do: capabilities, seccomp filters, resource limits, labels, hidden paths.
 * It sets none of them: it plans the fields of an OCI specification and compiles filters; the stage
 * applies them between clone and exec. Start with plan.ts; seccomp-default.ts is the filter as data.
 */
export {
  CAPABILITIES,
  type Capability,
  capabilityMask,
  capabilityNames,
  DEFAULT_CAPABILITIES,
  parseCapability,
} from "./capabilities.ts";
export { compileSeccomp } from "./compile-seccomp.ts";
export {
  planSecurity,
  type SecurityFacts,
  type SecurityOptions,
  type SecurityPlan,
} from "./plan.ts";
export { type CapabilityRequest, planCapabilities } from "./plan-capabilities.ts";
export { type LabelFacts, planApparmor, planSelinux } from "./plan-labels.ts";
export { MASKED_PATHS, planPaths, READONLY_PATHS } from "./plan-paths.ts";
export { planRlimits, type RlimitFacts, type RlimitPlan } from "./plan-rlimits.ts";
export { machineArch, readSeccompProfile, readSecurityFacts } from "./probe.ts";
export { parseUlimit, RLIMIT_NUMBERS, type RlimitName } from "./rlimits.ts";
export { seccompFilter } from "./seccomp-cache.ts";
export { DEFAULT_SECCOMP_PROFILE } from "./seccomp-default.ts";
export { seccompFlags } from "./seccomp-flags.ts";
export { type MachineArch, planSeccomp, type SeccompProfile } from "./seccomp-profile.ts";
