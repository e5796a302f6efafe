/**
 * OCI's linux.seccomp as a BPF program, by libseccomp.
 */
import { hasErrno, TsrunError } from "../base/errors.ts";
import {
  resolveSyscall,
  SECCOMP_ACTIONS,
  SECCOMP_ARCHES,
  SECCOMP_OPERATORS,
  type SeccompArch,
  type SeccompComparison,
  SeccompFilter,
  type SeccompOperator,
} from "../ffi/index.ts";
import type { OciSeccomp, OciSyscallArg, OciSyscallRule } from "../spec/index.ts";
import { type MachineArch, NATIVE_SECCOMP_ARCH } from "./seccomp-profile.ts";

/** OCI's names; "KILL" is the old one of KILL_THREAD. */
const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: SECCOMP_ACTIONS.KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_ACTIONS.KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_ACTIONS.KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_ACTIONS.TRAP,
  SCMP_ACT_ERRNO: SECCOMP_ACTIONS.ERRNO,
  SCMP_ACT_TRACE: SECCOMP_ACTIONS.TRACE,
  SCMP_ACT_ALLOW: SECCOMP_ACTIONS.ALLOW,
  SCMP_ACT_LOG: SECCOMP_ACTIONS.LOG,
  SCMP_ACT_NOTIFY: SECCOMP_ACTIONS.NOTIFY,
};
export const SECCOMP_ACTION_NAMES = Object.keys(ACTIONS);

/**
 * Calls that are newer than many a libseccomp: since 5.1 a new call has the same number everywhere
 * (x86-64's two probes excepted), so the native one can be given by number.
 */
const NEW_SYSCALLS: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
};
const NEW_X86_64_SYSCALLS: Readonly<Record<string, number>> = { uretprobe: 335, uprobe: 336 };

/** BPF_MAXINSNS, at 8 bytes each: seccomp(2) takes no longer program. */
export const MAX_FILTER_BYTES = 4096 * 8;

/**
 * struct sock_filter[] for seccomp(2) on a machine of `arch`. A rule's unknown call names are passed
 * over, as every runtime does: profiles name calls of all architectures and kernels. A call of an
 * architecture that is neither `arch` nor listed kills the process.
 * Throws INVALID_SPEC, naming the field, and UNSUPPORTED where libseccomp is missing.
 */
export function compileSeccomp(seccomp: OciSeccomp, arch: MachineArch): Uint8Array {
  const own = NATIVE_SECCOMP_ARCH[arch];
  const listed = (seccomp.architectures ?? []).flatMap((name) => parseArch(name) ?? []);
  const foreign = [...new Set(listed)].filter((name) => name !== own);
  const rules = parseRules(seccomp);

  using filter = newFilter(seccomp, [own]);
  addRules(filter, rules, { byNumber: own === HOST_ARCH });
  if (foreign.length > 0) {
    // A filter of their own: libseccomp translates a number for other architectures by its name, and
    // for calls that it does not know there is none.
    using others = newFilter(seccomp, foreign);
    addRules(others, rules, { byNumber: false });
    filter.merge(others);
  }
  const program = filter.exportBpf();
  if (program.length > MAX_FILTER_BYTES) {
    throw new TsrunError(
      "INVALID_SPEC",
      `the seccomp profile compiles to ${program.length / 8} instructions, and the kernel takes 4096`,
      { hint: "Use fewer rules with arguments, or fewer architectures.", origin: "linux.seccomp" },
    );
  }
  return program;
}

/** The architecture in whose numbers libseccomp takes rules, whatever the filter is for. */
const HOST_ARCH = NATIVE_SECCOMP_ARCH[process.arch === "arm64" ? "arm64" : "x64"];

/** A binary tree over the call numbers instead of a list: level 2 of seccomp_attr_set(3), libseccomp 2.5. */
const OPTIMIZE_BINARY_TREE = 2;

function newFilter(
  { defaultAction, defaultErrnoRet, flags = [] }: OciSeccomp,
  arches: readonly SeccompArch[],
): SeccompFilter {
  const filter = new SeccompFilter(
    actionNumber(defaultAction, defaultErrnoRet, "linux.seccomp.defaultAction"),
  );
  try {
    for (const arch of arches) if (arch !== HOST_ARCH) filter.addArch(arch);
    if (!arches.includes(HOST_ARCH)) filter.removeArch(HOST_ARCH);
    filter.setAttribute("badArchAction", SECCOMP_ACTIONS.KILL_PROCESS);
    // tsrun's plan sets no_new_privs, or not.
    filter.setAttribute("noNewPrivileges", 0);
    setOptional(filter, "optimize", OPTIMIZE_BINARY_TREE);
    if (flags.includes("SECCOMP_FILTER_FLAG_LOG")) setOptional(filter, "log", 1);
    return filter;
  } catch (error) {
    filter[Symbol.dispose]();
    throw error;
  }
}

/** An older libseccomp makes a slower filter that says the same. */
function setOptional(filter: SeccompFilter, name: "optimize" | "log", value: number): void {
  try {
    filter.setAttribute(name, value);
  } catch (error) {
    if (!hasErrno(error, "EOPNOTSUPP", "EINVAL", "EEXIST")) throw error;
  }
}

interface ParsedRule {
  readonly names: readonly string[];
  readonly action: number;
  /** Each a set of comparisons that must all hold; one set that holds is enough. */
  readonly alternatives: readonly (readonly SeccompComparison[])[];
  readonly origin: string;
}

function parseRules(seccomp: OciSeccomp): readonly ParsedRule[] {
  const { defaultAction, defaultErrnoRet, syscalls = [] } = seccomp;
  const defaultNumber = actionNumber(defaultAction, defaultErrnoRet, "linux.seccomp.defaultAction");
  return syscalls
    .map((rule, index) => parseRule(rule, `linux.seccomp.syscalls[${index}]`))
    .filter((rule) => rule.action !== defaultNumber); // libseccomp refuses what goes without saying
}

function parseRule(rule: OciSyscallRule, origin: string): ParsedRule {
  return {
    names: rule.names,
    action: actionNumber(rule.action, rule.errnoRet, `${origin}.action`),
    alternatives: comparisons(rule, origin),
    origin,
  };
}

function addRules(
  filter: SeccompFilter,
  rules: readonly ParsedRule[],
  { byNumber }: { readonly byNumber: boolean },
): void {
  for (const rule of rules) {
    for (const name of rule.names) {
      const number = resolveSyscall(name, HOST_ARCH) ?? (byNumber ? newSyscall(name) : undefined);
      if (number !== undefined) addRule(filter, rule, name, number);
    }
  }
}

function addRule(filter: SeccompFilter, rule: ParsedRule, name: string, number: number): void {
  for (const comparison of rule.alternatives) {
    try {
      filter.addRule(rule.action, number, comparison);
    } catch (cause) {
      if (hasErrno(cause, "EEXIST")) continue; // an earlier rule has said it already
      throw new TsrunError("INVALID_SPEC", `libseccomp refused the rule for "${name}"`, {
        hint: `See ${rule.origin}.`,
        origin: rule.origin,
        cause,
      });
    }
  }
}

function newSyscall(name: string): number | undefined {
  if (Object.hasOwn(NEW_SYSCALLS, name)) return NEW_SYSCALLS[name];
  const isX86 = HOST_ARCH === "SCMP_ARCH_X86_64" && Object.hasOwn(NEW_X86_64_SYSCALLS, name);
  return isX86 ? NEW_X86_64_SYSCALLS[name] : undefined;
}

/**
 * The rule's conditions. All must hold, except that several on one argument are alternatives:
 * so runc reads OCI's specification, which is silent, and so profiles are written.
 */
function comparisons(
  rule: OciSyscallRule,
  origin: string,
): readonly (readonly SeccompComparison[])[] {
  const args = (rule.args ?? []).map((arg, index) => comparison(arg, `${origin}.args[${index}]`));
  const indices = new Set(args.map((arg) => arg.index));
  return indices.size === args.length ? [args] : args.map((arg) => [arg]);
}

function comparison(arg: OciSyscallArg, origin: string): SeccompComparison {
  if (!Object.hasOwn(SECCOMP_OPERATORS, arg.op)) {
    throw invalid(`${origin}.op: "${arg.op}" is not a seccomp operator`, `${origin}.op`);
  }
  if (!Number.isInteger(arg.index) || arg.index < 0 || arg.index > 5) {
    throw invalid(
      `${origin}.index: a system call has arguments 0 to 5, not "${arg.index}"`,
      `${origin}.index`,
    );
  }
  return {
    index: arg.index,
    op: arg.op as SeccompOperator,
    value: BigInt.asUintN(64, BigInt(arg.value)),
    valueTwo: BigInt.asUintN(64, BigInt(arg.valueTwo ?? 0)),
  };
}

const EPERM = 1;

function actionNumber(name: string, errnoRet: number | undefined, origin: string): number {
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) throw invalid(`${origin}: "${name}" is not a seccomp action`, origin);
  if (action !== SECCOMP_ACTIONS.ERRNO && action !== SECCOMP_ACTIONS.TRACE) {
    if (errnoRet === undefined) return action;
    throw invalid(`${origin}: "${name}" takes no errno, and ${errnoRet} is given`, origin);
  }
  const data = errnoRet ?? EPERM;
  if (!Number.isInteger(data) || data < 0 || data > 0xffff) {
    throw invalid(`${origin}: "${data}" is not an errno`, origin);
  }
  return (action | data) >>> 0;
}

/** undefined for OCI's other architectures: profiles list them all, and no program of theirs can run here. */
function parseArch(name: string): SeccompArch | undefined {
  if (Object.hasOwn(SECCOMP_ARCHES, name)) return name as SeccompArch;
  if (OTHER_ARCHES.has(name)) return undefined;
  throw invalid(
    `linux.seccomp.architectures: "${name}" is not a seccomp architecture`,
    "linux.seccomp.architectures",
  );
}

const OTHER_ARCHES = new Set(
  [
    "MIPS",
    "MIPS64",
    "MIPS64N32",
    "MIPSEL",
    "MIPSEL64",
    "MIPSEL64N32",
    "PPC",
    "PPC64",
    "PPC64LE",
    "S390",
    "S390X",
    "PARISC",
    "PARISC64",
    "RISCV64",
    "LOONGARCH64",
    "M68K",
    "SH",
    "SHEB",
  ].map((name) => `SCMP_ARCH_${name}`),
);

function invalid(sentence: string, origin: string): TsrunError {
  return new TsrunError("INVALID_SPEC", sentence, {
    hint: `See ${origin}, and "Seccomp" in OCI's config-linux.md.`,
    origin,
  });
}
