import { containerPaths, type Engine } from "../engine.ts";
import type { ContainerConfig } from "../records.ts";
import { diskPaths, mountDisk } from "./mount.ts";

/** Has the container's disk mounted, where it has one, until it is disposed of. The caller has its lock. */
export function holdDisk(
  engine: Engine,
  { id, request }: Pick<ContainerConfig, "id" | "request">,
): Disposable {
  const { disk } = request;
  if (!disk) return NOTHING;
  return mountDisk(diskPaths(containerPaths(engine, id).dir), { sparse: disk.alloc !== "static" });
}

const NOTHING: Disposable = { [Symbol.dispose]: () => {} };
