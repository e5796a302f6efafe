/**
 * What this machine and tsrun's own process allow.
 */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { errnoNumber, SECCOMP_OPERATORS } from "../ffi/index.ts";
import { CAPABILITIES } from "./capabilities.ts";
import { SECCOMP_ACTION_NAMES } from "./compile-seccomp.ts";
import { parseSeccompProfile } from "./parse-seccomp-profile.ts";
import type { SecurityFacts } from "./plan.ts";
import type { CapabilityFacts } from "./plan-grants.ts";
import type { LabelFacts } from "./plan-labels.ts";
import type { RlimitFacts } from "./plan-rlimits.ts";
import { parseProcLimits } from "./rlimits.ts";
import type { MachineArch, SeccompProfile } from "./seccomp-profile.ts";

/** Everything that planSecurity wants to know; nine small reads, about 0.2 ms. */
export function readSecurityFacts(): SecurityFacts {
  const status = readFileSync("/proc/self/status", "latin1");
  const effective = BigInt(`0x${statusField(status, "CapEff") ?? "0"}`);
  return {
    boundingSet: BigInt(`0x${statusField(status, "CapBnd") ?? "0"}`),
    arch: machineArch(),
    kernel: kernelVersion(release()),
    // The field is there if and only if the kernel was built with seccomp (proc(5)).
    seccompAvailable: statusField(status, "Seccomp") !== undefined,
    rlimits: rlimitFacts(effective),
    labels: labelFacts(),
  };
}

/** Reads a profile file. Throws NOT_FOUND and INVALID_SPEC. */
export function readSeccompProfile(path: string): SeccompProfile {
  return parseSeccompProfile(readProfileFile(path), path, {
    actions: SECCOMP_ACTION_NAMES,
    operators: Object.keys(SECCOMP_OPERATORS),
    errnoNumber,
  });
}

/** What of its own tsrun can pass on. /proc/self/status and /proc/sys/kernel/cap_last_cap, proc(5). */
export function readCapabilityFacts(): CapabilityFacts {
  const status = readFileSync("/proc/self/status", "latin1");
  const set = (name: string) => BigInt(`0x${statusField(status, name) ?? "0"}`);
  return {
    held: set("CapPrm") & set("CapBnd"),
    last: Number(readOptional("/proc/sys/kernel/cap_last_cap") ?? CAPABILITIES.length - 1),
  };
}

function readProfileFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new TsrunError("NOT_FOUND", `cannot read the seccomp profile "${path}"`, {
      hint: 'Give the path of a JSON file, or "unconfined".',
      cause,
      ...(typeof (cause as NodeJS.ErrnoException).code === "string" && {
        errno: (cause as NodeJS.ErrnoException).code as string,
      }),
    });
  }
}

function statusField(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)$`, "m").exec(status)?.[1];
}

export function machineArch(): MachineArch {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new TsrunError("UNSUPPORTED", `tsrun does not run on the architecture "${process.arch}"`);
}

/** "6.18.44-fc" is 6.18. */
function kernelVersion(text: string): { major: number; minor: number } {
  const [major = 0, minor = 0] = text.split(".").map((part) => Number.parseInt(part, 10));
  return { major, minor };
}

const CAP_SYS_RESOURCE = BigInt(CAPABILITIES.indexOf("CAP_SYS_RESOURCE"));

function rlimitFacts(effective: bigint): RlimitFacts {
  return {
    current: parseProcLimits(readFileSync("/proc/self/limits", "latin1")),
    // The kernel wants the capability in the first user namespace (setrlimit(2)).
    maySetAny: ((effective >> CAP_SYS_RESOURCE) & 1n) === 1n && inInitialUserNamespace(),
    nrOpen: Number(readFileSync("/proc/sys/fs/nr_open", "latin1")),
  };
}

/** Only the first user namespace maps all ids to themselves. user_namespaces(7). */
function inInitialUserNamespace(): boolean {
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true; // a kernel without user namespaces
    throw error;
  }
}

function labelFacts(): LabelFacts {
  const apparmorEnabled =
    readOptional("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") ?? false;
  const selinuxEnabled = readOptional("/sys/fs/selinux/enforce") !== undefined;
  const profiles = apparmorEnabled
    ? readOptional("/sys/kernel/security/apparmor/profiles")
    : undefined;
  const contexts = selinuxEnabled ? containerContexts() : undefined;
  return {
    apparmor: {
      enabled: apparmorEnabled,
      profiles: profiles === undefined ? undefined : profileNames(profiles),
    },
    selinux: {
      enabled: selinuxEnabled,
      ...(contexts && { contexts }),
      categories: selinuxEnabled ? randomCategories() : "",
    },
  };
}

/** The active policy's lxc_contexts(5): lines such as `process = "system_u:system_r:container_t:s0"`. */
function containerContexts(): { process: string; file: string } | undefined {
  const config = readOptional("/etc/selinux/config") ?? "";
  const policy = /^SELINUXTYPE=(\S+)/m.exec(config)?.[1] ?? "targeted";
  const text = readOptional(`/etc/selinux/${policy}/contexts/lxc_contexts`) ?? "";
  const value = (name: string) => new RegExp(`^${name}\\s*=\\s*"([^"]+)"`, "m").exec(text)?.[1];
  const [process, file] = [value("process"), value("file")];
  return process === undefined || file === undefined ? undefined : { process, file };
}

/** Two different ones of the 1024, in rising order as the kernel wants them. */
function randomCategories(): string {
  const first = Math.floor(Math.random() * 1024);
  const second = (first + 1 + Math.floor(Math.random() * 1023)) % 1024;
  return `c${Math.min(first, second)},c${Math.max(first, second)}`;
}

/** Lines "NAME (MODE)"; the name may contain spaces. */
function profileNames(text: string): ReadonlySet<string> {
  return new Set(text.split("\n").flatMap((line) => /^(.+) \([a-z]+\)$/.exec(line)?.[1] ?? []));
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM", "EINVAL")) return undefined;
    throw error;
  }
}
