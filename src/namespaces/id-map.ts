/**
 * Id maps of user namespaces: checked, as the text of /proc/PID/uid_map, and applied to an id.
 */
import { TsrunError } from "../base/errors.ts";
import type { OciIdMapping } from "../spec/index.ts";

/** user_namespaces(7): the most lines a map may have since Linux 4.15. */
const ID_MAP_MAX_LINES = 340;
/** The map goes in by one write(2) that must be shorter than a page; 4 KiB is the smallest page there is. */
const ID_MAP_MAX_BYTES = 4095;
/** Ids are 32 bits wide and 2^32-1 is no id but "unchanged" (chown(2), setresuid(2)). */
const ID_END = 0xffff_ffff;

/**
 * The mappings as one text for /proc/PID/uid_map.
 * Throws INVALID_SPEC that names the mapping at fault, e.g. "linux.uidMappings[1]", for what the
 * kernel would answer with a bare EINVAL. user_namespaces(7).
 */
export function formatIdMap(mappings: readonly OciIdMapping[], origin: string): string {
  if (mappings.length > ID_MAP_MAX_LINES) {
    const message = `${origin} has ${mappings.length} mappings, the kernel takes at most ${ID_MAP_MAX_LINES}`;
    throw invalid(message, origin);
  }
  for (const [index, mapping] of mappings.entries()) {
    checkRange(mapping, "containerID", `${origin}[${index}]`);
    checkRange(mapping, "hostID", `${origin}[${index}]`);
  }
  checkOverlaps(mappings, "containerID", origin);
  checkOverlaps(mappings, "hostID", origin);
  const text = mappings
    .map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`)
    .join("");
  if (text.length > ID_MAP_MAX_BYTES) {
    const message = `${origin} is ${text.length} bytes as text, the kernel takes at most ${ID_MAP_MAX_BYTES}`;
    throw invalid(message, origin);
  }
  return text;
}

/** The text of /proc/PID/uid_map or gid_map; empty for a namespace that has no map yet. */
export function parseIdMap(text: string): readonly OciIdMapping[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [containerID, hostID, size] = line.trim().split(/\s+/).map(Number);
      if (containerID === undefined || hostID === undefined || size === undefined) {
        throw new Error(`"${line}" is no line of an id map`);
      }
      return { containerID, hostID, size };
    });
}

/** The id on the host that a container's id stands for, or undefined where it is not mapped. */
export function toHostId(mappings: readonly OciIdMapping[], id: number): number | undefined {
  const mapping = mappings.find(({ containerID, size }) => isWithin(id, containerID, size));
  return mapping && mapping.hostID + (id - mapping.containerID);
}

/** The container's id that an id on the host appears as, or undefined where it is the overflow id. */
export function toContainerId(mappings: readonly OciIdMapping[], id: number): number | undefined {
  const mapping = mappings.find(({ hostID, size }) => isWithin(id, hostID, size));
  return mapping && mapping.containerID + (id - mapping.hostID);
}

function isWithin(id: number, first: number, size: number): boolean {
  return id >= first && id - first < size;
}

type IdField = "containerID" | "hostID";

function checkRange(mapping: OciIdMapping, field: IdField, origin: string): void {
  const { [field]: first, size } = mapping;
  if (!Number.isInteger(first) || first < 0 || first >= ID_END) {
    throw invalid(`${origin}.${field} is ${first}, not an id from 0 to ${ID_END - 1}`, origin);
  }
  if (!Number.isInteger(size) || size < 1) {
    throw invalid(`${origin}.size is ${size}, it must be at least 1`, origin);
  }
  if (first + size > ID_END) {
    throw invalid(
      `${origin} maps ids up to ${first + size - 1}, the last id is ${ID_END - 1}`,
      origin,
    );
  }
}

function checkOverlaps(mappings: readonly OciIdMapping[], field: IdField, origin: string): void {
  const sorted = [...mappings.entries()].toSorted(([, a], [, b]) => a[field] - b[field]);
  for (const [position, [index, mapping]] of sorted.entries()) {
    const [previousIndex, previous] = sorted[position - 1] ?? [];
    if (!previous || previous[field] + previous.size <= mapping[field]) continue;
    const name = `${origin}[${index}]`;
    const message = `${name} and ${origin}[${previousIndex}] both map ${field} ${mapping[field]}`;
    throw invalid(message, name);
  }
}

function invalid(message: string, origin: string): TsrunError {
  return new TsrunError("INVALID_SPEC", message, { origin });
}
