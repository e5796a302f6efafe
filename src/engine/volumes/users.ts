/**
 * Which containers use which volume: their records say so, running or not.
 */
import { TsrunError } from "../../base/errors.ts";
import type { Engine } from "../engine.ts";
import type { ContainerConfig } from "../records.ts";
import { listContainerIds, readConfig } from "../store/config.ts";
import { volumeNames } from "./requested.ts";

/** Throws STORE_UNAVAILABLE for a damaged record: its volumes are not known, and must not be removed. */
export function readVolumeUsers(engine: Engine): ReadonlyMap<string, readonly ContainerConfig[]> {
  const users = new Map<string, ContainerConfig[]>();
  for (const id of listContainerIds(engine)) {
    const config = readConfig(engine, id);
    if (!config) continue;
    for (const name of volumeNames(config.request)) {
      users.set(name, [...(users.get(name) ?? []), config]);
    }
  }
  return users;
}

/** Whether a container that counts uses the volume; a damaged record may be one that does. */
export function isVolumeUsed(
  engine: Engine,
  name: string,
  counts: (user: ContainerConfig) => boolean = () => true,
): boolean {
  try {
    return (readVolumeUsers(engine).get(name) ?? []).some(counts);
  } catch (error) {
    if (error instanceof TsrunError) return true;
    throw error;
  }
}
