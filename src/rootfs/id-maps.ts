/**
 * Id-mapped mounts: which user namespaces a launch needs for them, as maps. The caller makes such a
 * namespace for each and hands it over in a slot; mount_setattr(2) MOUNT_ATTR_IDMAP wants the file.
 */
import { TsrunError } from "../base/errors.ts";
import type { Slot } from "../plan/index.ts";
import type { OciIdMapping, OciMount, OciSpec, RootMount } from "../spec/index.ts";
import { parseMountOptions } from "./mount-options.ts";

/** Ids as the file system has them (containerID) and as the container's host side sees them (hostID). */
export interface IdMaps {
  readonly uids: readonly OciIdMapping[];
  readonly gids: readonly OciIdMapping[];
  /** What has the fields uidMappings and gidMappings, for errors: "linux" or "mounts[3]". */
  readonly origin?: string;
}

/** Stands for one pair of maps; equal maps have equal keys. */
export type IdMapsKey = string & { readonly __brand: "IdMapsKey" };

export function idMapsKey({ uids, gids }: IdMaps): IdMapsKey {
  const plain = (maps: readonly OciIdMapping[]) =>
    maps.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`).join(",");
  return `u${plain(uids)};g${plain(gids)}` as IdMapsKey;
}

/** The container's own maps, if it has a user namespace whose maps are known. */
export function containerIdMaps({ linux }: Pick<OciSpec, "linux">): IdMaps | undefined {
  if (!hasUserNamespace(linux)) return undefined;
  return { uids: linux.uidMappings ?? [], gids: linux.gidMappings ?? [] };
}

export function hasUserNamespace({ namespaces }: OciSpec["linux"]): boolean {
  return namespaces.some(({ type }) => type === "user");
}

/**
 * The maps that the root's layers and the mounts ask for, each once.
 * Throws INVALID_SPEC for a mount whose map is missing or malformed.
 */
export function idMapsNeeded(
  spec: Pick<OciSpec, "linux" | "mounts">,
  root: RootMount,
): ReadonlyMap<IdMapsKey, IdMaps> {
  const needed = new Map<IdMapsKey, IdMaps>();
  const add = (maps: IdMaps | undefined, origin: string) =>
    maps && needed.set(idMapsKey(maps), { ...maps, origin });
  if (root.idMapped) add(requireContainerMaps(spec, "root"), "linux");
  for (const [index, mount] of spec.mounts.entries()) {
    const origin = `mounts[${index}]`;
    add(mountIdMaps(mount, spec, origin), origin);
  }
  return needed;
}

export function requireContainerMaps(spec: Pick<OciSpec, "linux">, origin: string): IdMaps {
  const maps = containerIdMaps(spec);
  if (maps && maps.uids.length > 0 && maps.gids.length > 0) return maps;
  throw new TsrunError("INVALID_SPEC", `${origin}: an id-mapped mount needs id maps`, {
    origin,
    hint: "Give the container a user namespace (--userns, --uidmap, --gidmap) or the mount its own maps.",
  });
}

/**
 * A mount's maps: from its "idmap=" option (podman's syntax), its uidMappings and gidMappings
 * (OCI config.md; they imply the option), or the container's. Undefined if it has none of these.
 */
export function mountIdMaps(
  mount: OciMount,
  spec: Pick<OciSpec, "linux">,
  origin: string,
): IdMaps | undefined {
  const { idMap } = parseMountOptions(mount.options ?? [], origin);
  const uids = mount.uidMappings ?? [];
  const gids = mount.gidMappings ?? [];
  if (idMap?.mappings !== undefined && idMap.mappings !== "") {
    return parseIdMapSyntax(idMap.mappings, containerIdMaps(spec), origin);
  }
  if (uids.length > 0 || gids.length > 0) {
    if (uids.length > 0 && gids.length > 0) return { uids, gids };
    throw new TsrunError("INVALID_SPEC", `${origin} needs both uidMappings and gidMappings`, {
      origin,
    });
  }
  return idMap ? requireContainerMaps(spec, origin) : undefined;
}

/**
 * "uids=0-1000-10#20-2000-5;gids=0-1000-10": from the file system's id, to the host's, how many. With "@"
 * in front of a range the second number is an id of the container (crun(1), "idmap mount options").
 */
function parseIdMapSyntax(text: string, container: IdMaps | undefined, origin: string): IdMaps {
  const found = new Map<string, OciIdMapping[]>();
  for (const part of text.split(";").filter((piece) => piece !== "")) {
    const [, name, ranges] = /^(uids|gids)=(.+)$/.exec(part) ?? [];
    if (name === undefined || ranges === undefined) throw invalidIdMap(text, origin);
    const base = (name === "uids" ? container?.uids : container?.gids) ?? [];
    found.set(
      name,
      ranges.split("#").map((range) => parseRange(range, base, text, origin)),
    );
  }
  const [uids, gids] = [found.get("uids"), found.get("gids")];
  if (!uids || !gids) throw invalidIdMap(text, origin);
  return { uids, gids };
}

const MAX_ID = 0xffff_ffff;

function parseRange(
  range: string,
  container: readonly OciIdMapping[],
  text: string,
  origin: string,
): OciIdMapping {
  const match = /^(@?)(\d+)-(@?)(\d+)-(\d+)$/.exec(range);
  if (!match) throw invalidIdMap(text, origin);
  const [containerID, second, size] = [Number(match[2]), Number(match[4]), Number(match[5])];
  const relative = match[1] === "@" || match[3] === "@";
  const hostID = relative ? hostIdOf(second, size, container) : second;
  if (hostID === undefined || size === 0) throw invalidIdMap(text, origin);
  if (containerID + size - 1 >= MAX_ID || hostID + size - 1 >= MAX_ID) {
    throw invalidIdMap(text, origin);
  }
  return { containerID, hostID, size };
}

function hostIdOf(id: number, size: number, maps: readonly OciIdMapping[]): number | undefined {
  const map = maps.find((m) => id >= m.containerID && id + size <= m.containerID + m.size);
  return map && map.hostID + (id - map.containerID);
}

function invalidIdMap(text: string, origin: string): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: the id map "${text}" is malformed`, {
    origin,
    hint: 'Write "idmap=uids=FROM-TO-SIZE;gids=FROM-TO-SIZE", several ranges joined by "#".',
  });
}

/** The kernel's overflow id, which stands for every id that is not mapped (user_namespaces(7)). */
const OVERFLOW_ID = 65_534;

/** The host's id for one of the container's. */
export function hostId(id: number, maps: IdMaps["uids"]): number {
  const map = maps.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return map ? map.hostID + (id - map.containerID) : OVERFLOW_ID;
}

/** The user namespace that the caller has made for these maps. */
export function idMapSlotOf(
  key: IdMapsKey,
  { idMapSlots }: { readonly idMapSlots?: ReadonlyMap<IdMapsKey, Slot> },
  origin: string,
): Slot {
  const slot = idMapSlots?.get(key);
  if (slot !== undefined) return slot;
  throw new TsrunError("UNSUPPORTED", `${origin}: no user namespace was made for the id map`, {
    origin,
  });
}
