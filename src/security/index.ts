/**
 * Owns what a container may do: capabilities, seccomp filters, resource limits, labels, hidden paths.
 * It sets none of them: it plans the fields of an OCI specification and compiles filters; the stage
 * applies them between clone and exec. Start with plan.ts; seccomp-default.ts is the filter as data.
 */
export {
  CAPABILITIES,
  capabilityMask,
  DEFAULT_CAPABILITIES,
} from "./capabilities.ts";
export { compileSeccomp, SECCOMP_ACTION_NAMES } from "./compile-seccomp.ts";
export {
  planSecurity,
  type SecurityFacts,
  type SecurityOptions,
  type SecurityPlan,
} from "./plan.ts";
export { type CapabilityFacts, planGrants } from "./plan-grants.ts";
export {
  machineArch,
  readCapabilityFacts,
  readSeccompProfile,
  readSecurityFacts,
} from "./probe.ts";
export { RLIMIT_NUMBERS } from "./rlimits.ts";
export { seccompFilter } from "./seccomp-cache.ts";
export { DEFAULT_SECCOMP_PROFILE } from "./seccomp-default.ts";
export { seccompFlags } from "./seccomp-flags.ts";
export { type MachineArch, planSeccomp, type SeccompProfile } from "./seccomp-profile.ts";
