import type { OciDeviceRule } from "../spec/index.ts";
import { invalidLimit } from "./write.ts";

/** BPF_DEVCG_ACC_* of linux/bpf.h. */
const DEVICE_ACCESS = { m: 1, r: 2, w: 4 } as const;
export const ALL_ACCESS = 7;
/** BPF_DEVCG_DEV_* of linux/bpf.h. */
const DEVICE_TYPES = { b: 1, c: 2 } as const;

/** One rule; an undefined field fits every device. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type: number | undefined;
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** DEVICE_ACCESS bits that it decides. */
  readonly access: number;
}

const char = (major: number, minor?: number): OciDeviceRule => ({
  ...{ allow: true, type: "c", access: "rwm", major },
  ...(minor === undefined ? {} : { minor }),
});

/**
 * What every container may use, whatever its configuration forbids: the devices that OCI demands in
 * /dev (null, zero, full, random, urandom, tty, ptmx), terminals, and making nodes of any kind,
 * which is harmless as long as they cannot be opened. OCI config-linux.md, "Default Devices".
 */
export const DEFAULT_DEVICE_RULES: readonly OciDeviceRule[] = [
  { allow: true, type: "a", access: "m" },
  ...[3, 5, 7, 8, 9].map((minor) => char(1, minor)),
  char(5, 0),
  char(5, 2),
  char(136),
];

/** Throws INVALID_SPEC, naming the rule. OCI config-linux.md, "Device Cgroup". */
export function parseDeviceRules(rules: readonly OciDeviceRule[]): readonly DeviceRule[] {
  return rules.map(({ allow, type = "a", major, minor, access }, index) => {
    const origin = `linux.resources.devices[${index}]`;
    const place = { allow, access: parseAccess(access, origin) };
    // "a" is all devices, as it was in cgroup v1: numbers beside it mean nothing.
    if (type === "a") return { ...place, type: undefined, major: undefined, minor: undefined };
    if (type !== "b" && type !== "c") {
      throw invalidLimit(origin, `"${type}" is no device type`, "It is a, b or c.");
    }
    return {
      ...place,
      type: DEVICE_TYPES[type],
      major: parseNumber(major, `${origin}.major`),
      minor: parseNumber(minor, `${origin}.minor`),
    };
  });
}

function parseAccess(access: string | undefined, origin: string): number {
  if (access === undefined || access === "") return ALL_ACCESS;
  if (!/^[rwm]+$/.test(access)) {
    throw invalidLimit(`${origin}.access`, `"${access}" is not made of r, w and m`);
  }
  return [...access].reduce((mask, letter) => mask | DEVICE_ACCESS[letter as "r" | "w" | "m"], 0);
}

/** -1 is "every number", as engines write it. */
function parseNumber(number: number | undefined, origin: string): number | undefined {
  if (number === undefined || number === -1) return undefined;
  if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) {
    throw invalidLimit(origin, `${number} is no device number`);
  }
  return number;
}
