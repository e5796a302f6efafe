import type { UndoStack } from "../../base/undo.ts";
import { containerPaths, containersDirectory, type Engine } from "../engine.ts";
import type { ContainerId, DiskQuota } from "../records.ts";
import type { ContainerRequest } from "../request.ts";
import { holdDisk } from "./hold.ts";
import { createImage } from "./image.ts";
import { diskPaths } from "./mount.ts";
import { planDisk } from "./plan-disk.ts";
import { createQuota, probeProjectQuota } from "./quota.ts";

export interface CreatedDisk {
  /** Where a project quota keeps it to its size. */
  readonly quota?: DiskQuota;
  readonly held: Disposable;
}

/** The disk of a container that is being made, there until it is disposed of. Throws NO_SPACE, UNSUPPORTED. */
export async function createDisk(
  engine: Engine,
  id: ContainerId,
  request: ContainerRequest & { readonly disk: NonNullable<ContainerRequest["disk"]> },
  undo: UndoStack,
): Promise<CreatedDisk> {
  const paths = diskPaths(containerPaths(engine, id).dir);
  const facts = { projectQuota: probeProjectQuota(containersDirectory(engine)) };
  if (planDisk(request, facts) === "quota") {
    const quota = await createQuota(engine, paths, request.disk.sizeBytes, undo);
    return { quota, held: holdDisk(engine, { id, request, quota }) };
  }
  await createImage(paths.image, request.disk, undo);
  return { held: holdDisk(engine, { id, request }) };
}
