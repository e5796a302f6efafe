/**
 * What containers take on the disk.
 */
import { treeSize } from "../images/index.ts";
import { observeContainer } from "./container.ts";
import { containerPaths, type Engine } from "./engine.ts";
import type { ContainerId } from "./records.ts";
import { listContainerIds } from "./store/config.ts";

export interface ContainerUsage {
  readonly id: ContainerId;
  /** The id of the image that it was made from. */
  readonly image: string | undefined;
  readonly running: boolean;
  /** Bytes of disk of its own directory: what it changed, its log, its records. */
  readonly size: number;
}

/** Looks at every file that a container has. */
export function readContainerUsage(engine: Engine): readonly ContainerUsage[] {
  return listContainerIds(engine).flatMap((id) => {
    const seen = observeContainer(engine, id, { lockHeld: false });
    if (!seen) return [];
    const running = seen.status === "running" || seen.status === "paused";
    const size = treeSize(containerPaths(engine, id).dir, new Set());
    return [{ id, image: seen.config.image?.id, running, size }];
  });
}
