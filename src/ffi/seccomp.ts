/**
 * libseccomp, loaded on first use. It turns rules about named system calls into a BPF program; tsrun
 * does not write filters by hand, because each architecture and ABI has surprises that libseccomp knows
 * (x32, socketcall, ipc, 64-bit arguments). seccomp_init(3), seccomp_rule_add(3), seccomp_attr_set(3).
 */
import { closeSync, fstatSync, readSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import { KernelError } from "./kernel-error.ts";
import { koffi, type NativeFunction } from "./koffi.ts";
import { type Argument, cString, syscall } from "./libc.ts";

/** What a filter answers (SECCOMP_RET_*, include/uapi/linux/seccomp.h); errno and trace carry 16 bits. */
export const SECCOMP_ACTIONS = {
  KILL_PROCESS: 0x8000_0000,
  KILL_THREAD: 0,
  TRAP: 0x0003_0000,
  ERRNO: 0x0005_0000,
  NOTIFY: 0x7fc0_0000,
  TRACE: 0x7ff0_0000,
  LOG: 0x7ffc_0000,
  ALLOW: 0x7fff_0000,
} as const;

/** SCMP_ARCH_*: AUDIT_ARCH_* of include/uapi/linux/audit.h, and libseccomp's own for x32. */
export const SECCOMP_ARCHES = {
  SCMP_ARCH_X86: 0x4000_0003,
  SCMP_ARCH_X86_64: 0xc000_003e,
  SCMP_ARCH_X32: 0x4000_003e,
  SCMP_ARCH_ARM: 0x4000_0028,
  SCMP_ARCH_AARCH64: 0xc000_00b7,
} as const;
export type SeccompArch = keyof typeof SECCOMP_ARCHES;

/** enum scmp_compare. */
export const SECCOMP_OPERATORS = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
} as const;
export type SeccompOperator = keyof typeof SECCOMP_OPERATORS;

/** enum scmp_filter_attr. */
const ATTRIBUTES = { badArchAction: 2, noNewPrivileges: 3, log: 6, optimize: 8 } as const;

export interface SeccompComparison {
  /** 0–5: the argument's place. */
  readonly index: number;
  readonly op: SeccompOperator;
  /** What it is compared with; for MASKED_EQ the mask. */
  readonly value: bigint;
  /** Only for MASKED_EQ: what the masked argument must be. */
  readonly valueTwo?: bigint;
}

const P = "void *";
/** Results and parameters in koffi's names. */
const SIGNATURES = {
  seccomp_init: [P, ["uint32_t"]],
  seccomp_release: ["void", [P]],
  seccomp_merge: ["int", [P, P]],
  seccomp_arch_add: ["int", [P, "uint32_t"]],
  seccomp_arch_remove: ["int", [P, "uint32_t"]],
  seccomp_attr_set: ["int", [P, "int", "uint32_t"]],
  seccomp_rule_add_array: ["int", [P, "uint32_t", "int", "uint", P]],
  seccomp_syscall_resolve_name_arch: ["int", ["uint32_t", P]],
  seccomp_export_bpf: ["int", [P, "int"]],
  seccomp_version: [P, []],
} as const satisfies Readonly<Record<string, readonly [string, readonly string[]]>>;
type FunctionName = keyof typeof SIGNATURES;

const functions = new Map<FunctionName, NativeFunction>();
let library: ReturnType<ReturnType<typeof koffi>["load"]> | undefined;

function bound(name: FunctionName): NativeFunction {
  let found = functions.get(name);
  if (!found) {
    library ??= loadLibrary();
    const [result, parameters] = SIGNATURES[name];
    found = library.func(name, result, parameters);
    functions.set(name, found);
  }
  return found;
}

function loadLibrary() {
  try {
    return koffi().load("libseccomp.so.2");
  } catch (cause) {
    throw new TsrunError("UNSUPPORTED", 'cannot load "libseccomp.so.2"', {
      hint: 'Install the package libseccomp2, or run with "--security-opt seccomp=unconfined".',
      cause,
    });
  }
}

/** Functions of libseccomp return a negative errno, except where noted. */
function check(name: FunctionName, subject: string, ...args: readonly Argument[]): number {
  const result = Number(bound(name)(...args));
  if (result < 0) throw new KernelError(name, -result, subject);
  return result;
}

/** "2.5.4". Throws UNSUPPORTED where libseccomp is not installed. seccomp_version(3). */
export function libseccompVersion(): string {
  // struct scmp_version: three unsigned ints.
  const version = new Uint32Array(koffi().view(bound("seccomp_version")(), 12));
  return version.join(".");
}

/** __NR_SCMP_ERROR: no architecture that this libseccomp knows has a call of that name. */
const NO_SUCH_SYSCALL = -1;

/**
 * The number of a system call; a pseudo number below -1 where it exists on other architectures only,
 * undefined where this libseccomp does not know the name. seccomp_syscall_resolve_name(3).
 */
export function resolveSyscall(name: string, arch: SeccompArch): number | undefined {
  const resolve = bound("seccomp_syscall_resolve_name_arch");
  const number = Number(resolve(SECCOMP_ARCHES[arch], cString(name)));
  return number === NO_SUCH_SYSCALL ? undefined : number;
}

/** struct scmp_arg_cmp: two 32-bit and two 64-bit fields. */
const COMPARISON_SIZE = 24;

/** One filter context. `using` or `[Symbol.dispose]` frees it. */
export class SeccompFilter implements Disposable {
  #context: bigint;

  /** Starts with the native architecture. seccomp_init(3). */
  constructor(defaultAction: number) {
    const context = bound("seccomp_init")(defaultAction) as bigint | null;
    if (!context) {
      throw new TsrunError("SYSTEM", `libseccomp refused the default action ${defaultAction}`);
    }
    this.#context = context;
  }

  addArch(arch: SeccompArch): void {
    check("seccomp_arch_add", arch, this.#context, SECCOMP_ARCHES[arch]);
  }

  removeArch(arch: SeccompArch): void {
    check("seccomp_arch_remove", arch, this.#context, SECCOMP_ARCHES[arch]);
  }

  /** EOPNOTSUPP: this libseccomp (or kernel) does not know the attribute. seccomp_attr_set(3). */
  setAttribute(name: keyof typeof ATTRIBUTES, value: number): void {
    check("seccomp_attr_set", name, this.#context, ATTRIBUTES[name], value);
  }

  /**
   * One rule; all its comparisons must hold. EACCES: the action is the default one. EINVAL: two
   * comparisons of one argument. seccomp_rule_add(3).
   */
  addRule(action: number, syscall: number, comparisons: readonly SeccompComparison[] = []): void {
    const array = new DataView(new ArrayBuffer(COMPARISON_SIZE * Math.max(1, comparisons.length)));
    for (const [at, { index, op, value, valueTwo = 0n }] of comparisons.entries()) {
      array.setUint32(at * COMPARISON_SIZE, index, true);
      array.setUint32(at * COMPARISON_SIZE + 4, SECCOMP_OPERATORS[op], true);
      array.setBigUint64(at * COMPARISON_SIZE + 8, value, true);
      array.setBigUint64(at * COMPARISON_SIZE + 16, valueTwo, true);
    }
    const count = comparisons.length;
    const bytes = new Uint8Array(array.buffer);
    const subject = `syscall ${syscall}`;
    check("seccomp_rule_add_array", subject, this.#context, action, syscall, count, bytes);
  }

  /** Takes over the other filter, whose architectures must be different ones. seccomp_merge(3). */
  merge(other: SeccompFilter): void {
    check("seccomp_merge", "", this.#context, other.#context);
    other.#context = 0n; // libseccomp has freed it
  }

  /** The program: struct sock_filter[], 8 bytes each, in the host's byte order. seccomp_export_bpf(3). */
  exportBpf(): Uint8Array {
    const fd = syscall("memfd_create", "seccomp", cString("seccomp"), 1);
    try {
      check("seccomp_export_bpf", "", this.#context, fd);
      const program = new Uint8Array(fstatSync(fd).size);
      for (let read = 0; read < program.length; ) {
        read += readSync(fd, program, read, program.length - read, read);
      }
      return program;
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    if (this.#context !== 0n) bound("seccomp_release")(this.#context);
    this.#context = 0n;
  }
}

const SECCOMP_GET_ACTION_AVAIL = 2;

/** Whether this kernel knows a filter action. seccomp(2) SECCOMP_GET_ACTION_AVAIL. */
export function kernelHasSeccompAction(action: number): boolean {
  const bytes = new Uint8Array(Uint32Array.of(action).buffer);
  try {
    syscall("seccomp", "SECCOMP_GET_ACTION_AVAIL", SECCOMP_GET_ACTION_AVAIL, 0, bytes);
    return true;
  } catch (error) {
    const { errno } = error as { errno?: unknown };
    // ENOSYS: built without seccomp. EINVAL and EOPNOTSUPP: no such operation or action.
    if (errno === "ENOSYS" || errno === "EINVAL" || errno === "EOPNOTSUPP") return false;
    throw error;
  }
}
