/**
 * --userns, --uidmap and --gidmap: which ids of the host the container's ids are.
 */
import type { NamespacesRequest } from "../../engine/index.ts";
import type { OciIdMapping } from "../../spec/index.ts";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";

type UserChoice = NonNullable<NamespacesRequest["user"]>;

interface UsernsOptions {
  readonly userns?: string | undefined;
  readonly uidmap: readonly string[];
  readonly gidmap: readonly string[];
}

/** Where only one of the two maps is given, the other is the same: podman's rule. */
export function parseUserns({ userns, uidmap, gidmap }: UsernsOptions): UserChoice | undefined {
  const hasMaps = uidmap.length + gidmap.length > 0;
  if (hasMaps) {
    if (userns !== undefined && userns !== "private") {
      throw invalidValue(
        "--userns",
        userns,
        "it does not go with --uidmap and --gidmap",
        "Leave --userns out, or the maps.",
      );
    }
    const uids = uidmap.map((text) => parseIdMap("--uidmap", text));
    const gids = gidmap.map((text) => parseIdMap("--gidmap", text));
    checkOverlap("--uidmap", uids, uidmap);
    checkOverlap("--gidmap", gids, gidmap);
    return {
      kind: "maps",
      uids: uids.length > 0 ? uids : gids,
      gids: gids.length > 0 ? gids : uids,
    };
  }
  return userns === undefined ? undefined : parseUsernsMode(userns);
}

const LATER = /^(keep-id|nomap|private|container|ns)(:|$)/;

function parseUsernsMode(text: string): UserChoice {
  const flag = "--userns";
  if (text === "host") return { kind: "host" };
  if (text === "auto" || text.startsWith("auto:")) return parseAuto(text);
  if (/^\d+:/.test(text)) {
    const maps = text.split(",").map((map) => parseIdMap(flag, map));
    checkOverlap(flag, maps, [text]);
    return { kind: "maps", uids: maps, gids: maps };
  }
  const hint = "Use host, auto, auto:size=65536, or --uidmap and --gidmap.";
  if (LATER.test(text)) throw unsupportedValue(flag, text, "it is not there yet", hint);
  throw invalidValue(flag, text, "it names no user namespace", hint);
}

function parseAuto(text: string): UserChoice {
  const flag = "--userns";
  let size: number | undefined;
  for (const option of text
    .slice("auto:".length)
    .split(",")
    .filter((part) => part !== "")) {
    const { key, value = "" } = splitKeyValue(option);
    if (key === "uidmapping" || key === "gidmapping") {
      throw unsupportedValue(flag, text, `"${key}" is not there yet`, "Use auto:size=65536.");
    }
    size = /^\d{1,10}$/.test(value) ? Number(value) : 0;
    if (key !== "size" || size < 1 || size > MAX_IDS) {
      throw invalidValue(
        flag,
        text,
        `"${option}" is no number of ids`,
        "Write it as auto:size=65536.",
      );
    }
  }
  return size === undefined ? { kind: "auto" } : { kind: "auto", size };
}

/** Ids are 32 bits; the last one means "none". user_namespaces(7). */
const MAX_IDS = 2 ** 32 - 1;

/** "CONTAINER:HOST[:SIZE]"; the size is 1 without it. */
export function parseIdMap(flag: string, text: string): OciIdMapping {
  if (/[@+ug]/.test(text)) {
    throw unsupportedValue(
      flag,
      text,
      "podman's marks u, g, + and @ are not there yet",
      "Write CONTAINER:HOST:SIZE in numbers, such as 0:100000:65536.",
    );
  }
  const match = /^(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const [containerID = 0, hostID = 0, size = 1] = (match ?? [])
    .slice(1)
    .map((digits: string | undefined) => (digits === undefined ? undefined : Number(digits)));
  const fits = size >= 1 && containerID + size <= MAX_IDS && hostID + size <= MAX_IDS;
  if (!match || !fits) {
    throw invalidValue(
      flag,
      text,
      "it is not CONTAINER:HOST:SIZE",
      "Write three numbers, such as 0:100000:65536.",
    );
  }
  return { containerID, hostID, size };
}

/** The kernel refuses maps whose ranges meet, on either side. */
function checkOverlap(flag: string, maps: readonly OciIdMapping[], texts: readonly string[]): void {
  for (const side of ["containerID", "hostID"] as const) {
    const sorted = maps.toSorted((a, b) => a[side] - b[side]);
    const overlaps = sorted.some((map, index) => {
      const next = sorted[index + 1];
      return next !== undefined && next[side] < map[side] + map.size;
    });
    if (overlaps) {
      throw invalidValue(
        flag,
        texts.join(" "),
        `ids of the ${side === "hostID" ? "host" : "container"} are mapped twice`,
        "Let no two ranges overlap.",
      );
    }
  }
}
