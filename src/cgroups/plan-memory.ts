import type { OciMemory } from "../spec/index.ts";
import {
  type CgroupWrite,
  type CurrentLimits,
  invalidLimit,
  limitText,
  onlyInV1,
} from "./write.ts";

const ORIGIN = "linux.resources.memory";

/**
 * Memory limits. Zero is "not set", as runc and Docker mean it. Throws INVALID_SPEC, or UNSUPPORTED
 * for what cgroup v2 cannot do. OCI config-linux.md, "Memory"; cgroup-v2.rst, "Memory Interface Files".
 */
export function planMemory(memory: OciMemory, current: CurrentLimits = {}): readonly CgroupWrite[] {
  refuseV1(memory);
  const { limit = 0, reservation = 0 } = memory;
  const writes: CgroupWrite[] = [];
  const write = (file: string, value: number, field: string) =>
    writes.push({
      file,
      value: limitText(value, `${ORIGIN}.${field}`),
      controller: "memory",
      origin: `${ORIGIN}.${field}`,
    });
  if (limit !== 0) write("memory.max", limit, "limit");
  if (reservation !== 0) write("memory.low", reservation, "reservation");
  return [...writes, ...planSwap(memory, current)];
}

/**
 * OCI counts memory and swap together, as cgroup v1 did; v2 counts swap alone. An unlimited memory
 * means unlimited swap unless something else is said, as in v1.
 */
function planSwap(
  { limit = 0, swap = 0 }: OciMemory,
  current: CurrentLimits,
): readonly CgroupWrite[] {
  const origin = `${ORIGIN}.swap`;
  const total = swap === 0 && limit < 0 ? -1 : swap;
  if (total === 0) return [];
  const value = total < 0 ? "max" : limitText(swapBytes(total, limit, current), origin);
  return [
    {
      file: "memory.swap.max",
      value,
      controller: "memory",
      origin,
      // Where swap is not accounted there is no file, and nothing to lift or to forbid.
      ...(value === "max" || value === "0" ? { tolerate: ["ENOENT"] as const } : {}),
      hint: "ENOENT: this kernel does not account swap (swapaccount=0); set no swap limit.",
    },
  ];
}

function swapBytes(total: number, limit: number, { memoryMaxBytes }: CurrentLimits): number {
  const origin = `${ORIGIN}.swap`;
  const memory = limit === 0 ? (memoryMaxBytes ?? Number.POSITIVE_INFINITY) : limit;
  if (memory < 0 || memory === Number.POSITIVE_INFINITY) {
    throw invalidLimit(
      origin,
      "a swap limit needs a memory limit",
      "It counts memory and swap together.",
    );
  }
  if (total < memory) {
    throw invalidLimit(
      origin,
      `${total} bytes are less than the memory limit of ${memory}`,
      "It counts memory and swap together; equal values forbid swap.",
    );
  }
  return total - memory;
}

function refuseV1(memory: OciMemory): void {
  const { kernel = 0, kernelTCP = 0, swappiness, disableOOMKiller, useHierarchy } = memory;
  const counted = "Kernel memory is part of memory.limit in cgroup v2.";
  if (kernel > 0) throw onlyInV1(`${ORIGIN}.kernel`, counted);
  if (kernelTCP > 0) throw onlyInV1(`${ORIGIN}.kernelTCP`, counted);
  if (swappiness !== undefined && swappiness >= 0) {
    const hint = "Limit swap with memory.swap, or set vm.swappiness on the host.";
    throw onlyInV1(`${ORIGIN}.swappiness`, hint);
  }
  if (useHierarchy === false) {
    throw onlyInV1(`${ORIGIN}.useHierarchy`, "In cgroup v2 every limit counts what is below it.");
  }
  if (disableOOMKiller === true) {
    const hint = "Use oomScoreAdj, or memory.high through linux.resources.unified.";
    throw onlyInV1(`${ORIGIN}.disableOOMKiller`, hint);
  }
}
