/**
 * What a person asked for in matters of security, and what was seen of the host, as the fields of an
 * OCI specification. `--privileged` is one word for: all capabilities of the host, no seccomp filter, no
 * masked or read-only paths, all the host's devices, /sys and the cgroup tree writable, no label.
 */
import { TsrunError } from "../base/errors.ts";
import type { OciCapabilities, OciRlimit, OciSeccomp } from "../spec/index.ts";
import { planCapabilities } from "./plan-capabilities.ts";
import { type LabelFacts, planApparmor, planSelinux } from "./plan-labels.ts";
import { planPaths } from "./plan-paths.ts";
import { planRlimits, type RlimitFacts } from "./plan-rlimits.ts";
import { DEFAULT_SECCOMP_PROFILE } from "./seccomp-default.ts";
import { type MachineArch, planSeccomp, type SeccompProfile } from "./seccomp-profile.ts";
import { keepProjects } from "./seccomp-projects.ts";

export interface SecurityOptions {
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  /** Whether the first process runs as uid 0 of the container. */
  readonly userIsRoot: boolean;
  readonly noNewPrivileges?: boolean;
  /** "unconfined", a parsed profile, or undefined for the default one. */
  readonly seccomp?: "unconfined" | SeccompProfile;
  readonly apparmor?: string;
  /** label= values in order. */
  readonly labels?: readonly string[];
  readonly mask?: readonly string[];
  readonly unmask?: readonly string[];
  readonly rlimits?: readonly (OciRlimit | "host")[];
  /** The container has a user namespace of its own. */
  readonly inUserNamespace?: boolean;
  /** Its files stay of the project that they were made in, which a user namespace sees to by itself. */
  readonly keepsProjects?: boolean;
}

export interface SecurityFacts {
  /** tsrun's own bounding set, a bit per capability. */
  readonly boundingSet: bigint;
  readonly arch: MachineArch;
  readonly kernel: { readonly major: number; readonly minor: number };
  /** The kernel can filter system calls. */
  readonly seccompAvailable: boolean;
  readonly rlimits: RlimitFacts;
  readonly labels: LabelFacts;
}

export interface SecurityPlan {
  readonly capabilities: Required<OciCapabilities>;
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly OciRlimit[];
  readonly seccomp?: OciSeccomp;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly mountLabel?: string;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** /sys is mounted read-write and the cgroup file system with it. */
  readonly writableSys: boolean;
  /** All device nodes of the host, and no device filter. */
  readonly allDevices: boolean;
  readonly warnings: readonly string[];
}

/** Throws INVALID_ARGUMENT, PERMISSION, NOT_FOUND and UNSUPPORTED, each naming the option. */
export function planSecurity(options: SecurityOptions, facts: SecurityFacts): SecurityPlan {
  const { privileged = false, noNewPrivileges = false, userIsRoot } = options;
  const capabilities = planCapabilities(
    { add: options.capAdd ?? [], drop: options.capDrop ?? [], privileged, userIsRoot },
    facts,
  );
  const { rlimits, warnings } = planRlimits(options.rlimits ?? [], {
    ...facts.rlimits,
    inUserNamespace: options.inUserNamespace ?? false,
  });
  const seccomp = containerSeccomp(options, facts, capabilities.bounding);
  const apparmorProfile = planApparmor(
    options.apparmor ?? (privileged ? "unconfined" : undefined),
    facts.labels,
  );
  const labels = options.labels ?? (privileged ? ["disable"] : []);
  return {
    capabilities,
    noNewPrivileges,
    rlimits,
    ...(seccomp && { seccomp }),
    ...(apparmorProfile !== undefined && { apparmorProfile }),
    ...planSelinux(labels, facts.labels),
    ...planPaths({ mask: options.mask ?? [], unmask: options.unmask ?? [], privileged }),
    writableSys: privileged,
    allDevices: privileged,
    warnings,
  };
}

/** A privileged container has a filter only if it was asked for by file (podman's rule). */
function containerSeccomp(
  { seccomp, privileged, keepsProjects }: SecurityOptions,
  { arch, kernel, seccompAvailable }: SecurityFacts,
  capabilities: readonly string[],
): OciSeccomp | undefined {
  if (seccomp === "unconfined" || (privileged && seccomp === undefined)) return undefined;
  if (!seccompAvailable) {
    throw new TsrunError("UNSUPPORTED", "this kernel cannot filter system calls (seccomp)", {
      hint: "Use a kernel with CONFIG_SECCOMP_FILTER, or give --security-opt seccomp=unconfined.",
    });
  }
  const plan = planSeccomp(seccomp ?? DEFAULT_SECCOMP_PROFILE, { arch, kernel, capabilities });
  return keepsProjects ? keepProjects(plan) : plan;
}
