/**
 * A seccomp profile as containers/common and Docker write it: OCI's section, and besides it rules that
 * depend on the architecture, the kernel and the container's capabilities. `planSeccomp` decides
 * those and leaves plain OCI.
 */
import type { OciSeccomp, OciSyscallArg, OciSyscallRule } from "../spec/index.ts";

/** The architectures tsrun runs on, as Node calls them. */
export type MachineArch = "x64" | "arm64";

export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** SCMP_ARCH_* of which one is the machine's own; instead of `archMap`. */
  readonly architectures?: readonly string[];
  readonly archMap?: readonly {
    readonly architecture: string;
    readonly subArchitectures: readonly string[];
  }[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly SeccompProfileRule[];
}

export interface SeccompProfileRule extends OciSyscallRule {
  readonly comment?: string;
  /** The rule counts only if all of this holds. */
  readonly includes?: RuleCondition;
  /** The rule does not count if any of this holds. */
  readonly excludes?: RuleCondition;
}

export interface RuleCondition {
  /** CAP_*: as includes all of them, as excludes any of them. */
  readonly caps?: readonly string[];
  /** GOARCH names: "amd64", "arm64". */
  readonly arches?: readonly string[];
  /** "MAJOR.MINOR": this kernel or a newer one. */
  readonly minKernel?: string;
}

export interface SeccompFacts {
  readonly arch: MachineArch;
  readonly kernel: { readonly major: number; readonly minor: number };
  /** The container's bounding set, CAP_* names. */
  readonly capabilities: readonly string[];
}

const GO_ARCH = { x64: "amd64", arm64: "arm64" } as const;
export const NATIVE_SECCOMP_ARCH = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" } as const;

/** The profile as it applies to one container: OCI's linux.seccomp, config-linux.md "Seccomp". */
export function planSeccomp(profile: SeccompProfile, facts: SeccompFacts): OciSeccomp {
  const { defaultAction, defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  return {
    defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures: architectures(profile, facts),
    ...(flags === undefined ? {} : { flags }),
    ...(listenerPath === undefined ? {} : { listenerPath }),
    ...(listenerMetadata === undefined ? {} : { listenerMetadata }),
    syscalls: profile.syscalls.filter((rule) => applies(rule, facts)).map(plainRule),
  };
}

function architectures(profile: SeccompProfile, { arch }: SeccompFacts): readonly string[] {
  const native = NATIVE_SECCOMP_ARCH[arch];
  const mapped = profile.archMap?.find((entry) => entry.architecture === native);
  return mapped
    ? [mapped.architecture, ...mapped.subArchitectures]
    : (profile.architectures ?? [native]);
}

function applies(
  { includes = {}, excludes = {} }: SeccompProfileRule,
  facts: SeccompFacts,
): boolean {
  const arch = GO_ARCH[facts.arch];
  const has = (cap: string) => facts.capabilities.includes(cap);
  return (
    (includes.arches?.includes(arch) ?? true) &&
    (includes.caps?.every(has) ?? true) &&
    (includes.minKernel === undefined || kernelReaches(includes.minKernel, facts)) &&
    !excludes.arches?.includes(arch) &&
    !excludes.caps?.some(has) &&
    (excludes.minKernel === undefined || !kernelReaches(excludes.minKernel, facts))
  );
}

function kernelReaches(wanted: string, { kernel }: SeccompFacts): boolean {
  const [major = 0, minor = 0] = wanted.split(".").map(Number);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function plainRule({ names, action, errnoRet, args }: SeccompProfileRule): OciSyscallRule {
  return {
    names,
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined || args.length === 0
      ? {}
      : { args: args satisfies readonly OciSyscallArg[] }),
  };
}
