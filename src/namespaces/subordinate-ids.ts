/**
 * The ids that a user without privileges may map: his own, and the ranges that /etc/subuid and
 * /etc/subgid give him (subuid(5)). newuidmap(1) writes them into a user namespace.
 */
import type { OciIdMapping } from "../spec/index.ts";
import type { IdRange } from "./id-range.ts";

/** /proc/PID/uid_map takes 340 lines (user_namespaces(7)); the first is the user's own. */
const MAX_RANGES = 339;

/** The ranges of a user, by name or number, in the order of the lines USER:FIRST:SIZE. */
export function parseSubordinateIds(text: string, users: readonly string[]): readonly IdRange[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", first = "", size = ""] = line.trim().split(":");
    const valid = users.includes(name) && /^\d+$/.test(first) && /^[1-9]\d*$/.test(size);
    return valid ? [{ first: Number(first), size: Number(size) }] : [];
  });
}

/** 0 is the user's own id, and from 1 on come those of the ranges, one after the other. */
export function planOwnIdMap(own: number, ranges: readonly IdRange[]): readonly OciIdMapping[] {
  const mappings: OciIdMapping[] = [{ containerID: 0, hostID: own, size: 1 }];
  let next = 1;
  for (const { first, size } of ranges.slice(0, MAX_RANGES)) {
    // Lines may say the same twice, and the kernel takes no id twice.
    const isTaken = mappings.some(
      ({ hostID, size: length }) => first < hostID + length && hostID < first + size,
    );
    if (isTaken) continue;
    mappings.push({ containerID: next, hostID: first, size });
    next += size;
  }
  return mappings;
}
