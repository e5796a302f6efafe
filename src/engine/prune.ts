/** Removing containers that do not run, all at once. */
import { TsrunError } from "../base/errors.ts";
import type { Engine } from "./engine.ts";
import { layersOf } from "./layers.ts";
import { type ListFilters, listContainers } from "./list.ts";
import type { ContainerId, ContainerView } from "./records.ts";
import { removeContainer } from "./remove.ts";
import { readOwnSize } from "./usage.ts";

export type ContainerPruneFilters = Pick<ListFilters, "name" | "label" | "ancestor" | "exited">;

export interface PrunedContainers {
  readonly ids: readonly ContainerId[];
  /** Bytes of disk. */
  readonly freed: number;
}

/**
 * Those that have ended or never ran. One with snapshots is not among them: somebody wanted to come back
 * to them, and they would go with it.
 */
export async function listPrunableContainers(
  engine: Engine,
  filters: ContainerPruneFilters = {},
): Promise<readonly ContainerView[]> {
  const ended = { ...filters, status: ["created", "exited"] };
  const views = await listContainers(engine, { all: true, filters: ended });
  return views.filter(({ config }) => layersOf(config).snapshots.length === 0);
}

/** What has come to run meanwhile stays. */
export async function pruneContainers(
  engine: Engine,
  filters: ContainerPruneFilters = {},
): Promise<PrunedContainers> {
  const views = await listPrunableContainers(engine, filters);
  const ids: ContainerId[] = [];
  let freed = 0;
  for (const { config } of views) {
    const size = readOwnSize(engine, config);
    try {
      if ((await removeContainer(engine, config.id, { ignoreMissing: true })) === undefined)
        continue;
    } catch (error) {
      if (error instanceof TsrunError && error.code === "WRONG_STATE") continue;
      throw error;
    }
    ids.push(config.id);
    freed += size;
  }
  return { ids, freed };
}
