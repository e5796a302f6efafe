/**
 * Capabilities that a specification asks for, as far as they can be given. OCI config.md, "Linux
 * Process": what cannot be mapped to the kernel or cannot be granted is a warning, not an error.
 */
import type { OciCapabilities } from "../spec/index.ts";
import { capabilityBit } from "./capabilities.ts";

/** A bit a capability. */
export interface CapabilityFacts {
  /** What tsrun has itself, permitted and in its bounding set. */
  readonly held: bigint;
  /** The last one that this kernel has. */
  readonly last: number;
}

export interface CapabilityGrants {
  readonly capabilities: OciCapabilities;
  readonly warnings: readonly string[];
}

const SETS = ["bounding", "effective", "permitted", "inheritable", "ambient"] as const;

/** With `all`, the process gets a user namespace, and with it every capability that there is. */
export function planGrants(
  wanted: OciCapabilities,
  { held, last }: CapabilityFacts,
  { all }: { readonly all: boolean },
): CapabilityGrants {
  const warnings = new Set<string>();
  const granted = (name: string): boolean => {
    const bit = capabilityBit(name);
    if (bit === undefined || bit > last) {
      warnings.add(`process.capabilities: this kernel has no "${name}", it is left out`);
      return false;
    }
    if (all || ((held >> BigInt(bit)) & 1n) === 1n) return true;
    warnings.add(`process.capabilities: "${name}" is not tsrun's to give, it is left out`);
    return false;
  };
  const capabilities = Object.fromEntries(
    SETS.flatMap((set) => {
      const names = wanted[set];
      return names === undefined ? [] : [[set, names.filter(granted)]];
    }),
  );
  return { capabilities, warnings: [...warnings] };
}
