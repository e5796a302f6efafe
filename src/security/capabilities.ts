/**
 * Capabilities by name and by bit: capabilities(7), include/uapi/linux/capability.h.
 */
import { TsrunError } from "../base/errors.ts";

/** In the order of their numbers. */
export const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

export type Capability = (typeof CAPABILITIES)[number];

const NUMBERS: ReadonlyMap<string, number> = new Map(CAPABILITIES.map((name, bit) => [name, bit]));

/** What a container has unless told otherwise: podman's default set (containers.conf(5)). */
export const DEFAULT_CAPABILITIES: readonly Capability[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_SETFCAP",
];

/** Its number, or undefined for a name that is none. */
export function capabilityBit(name: string): number | undefined {
  return NUMBERS.get(name);
}

function isCapability(name: string): name is Capability {
  return NUMBERS.has(name);
}

/**
 * A capability as people write it: any case, with or without "CAP_". Throws INVALID_ARGUMENT for a
 * name that Linux does not have.
 */
export function parseCapability(text: string): Capability {
  const upper = text.toUpperCase();
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (isCapability(name)) return name;
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" is not a capability`, {
    hint: 'Capabilities are named as in capabilities(7), for example "NET_ADMIN" or "CAP_NET_ADMIN"; "ALL" means all of them.',
  });
}

/** The bits of these capabilities. Throws INVALID_SPEC for a name that is not one (with its "CAP_"). */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  for (const name of names) {
    const bit = NUMBERS.get(name);
    if (bit === undefined) {
      throw new TsrunError("INVALID_SPEC", `"${name}" is not a capability`, {
        hint: 'Specifications name them in full, for example "CAP_NET_ADMIN".',
      });
    }
    mask |= 1n << BigInt(bit);
  }
  return mask;
}

/** The names of the bits, in the order of their numbers; bits without a name are left out. */
export function capabilityNames(mask: bigint): readonly Capability[] {
  return CAPABILITIES.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);
}
