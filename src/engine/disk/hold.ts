import { containerPaths, type Engine } from "../engine.ts";
import type { ContainerConfig } from "../records.ts";
import { diskPaths, mountDisk, unmountDisk } from "./mount.ts";
import { holdQuota, releaseQuota } from "./quota.ts";

/** Has the container's disk there, where it has one, until it is disposed of. The caller has its lock. */
export function holdDisk(
  engine: Engine,
  { id, request, quota }: Pick<ContainerConfig, "id" | "request" | "quota">,
): Disposable {
  const { disk } = request;
  if (!disk) return NOTHING;
  const paths = diskPaths(containerPaths(engine, id).dir);
  if (!quota) return mountDisk(paths, { sparse: disk.alloc !== "static" });
  holdQuota(paths, quota, disk.sizeBytes);
  return NOTHING;
}

const NOTHING: Disposable = { [Symbol.dispose]: () => {} };

/** What is not in the container's directory: a mount, or a limit. The directory is about to go. */
export function releaseDisk(containerDirectory: string): void {
  const paths = diskPaths(containerDirectory);
  unmountDisk(paths);
  releaseQuota(paths);
}
