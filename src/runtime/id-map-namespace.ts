import { openSync } from "node:fs";
import { formatIdMap, NAMESPACE_KINDS } from "../namespaces/index.ts";
import type { LaunchPlan, PlannedOp } from "../plan/index.ts";
import type { IdMaps } from "../rootfs/index.ts";
import { launch } from "./launch.ts";
import { planHeld } from "./plan-held.ts";

/**
 * A user namespace with these maps as an open file, for mount_setattr(2) MOUNT_ATTR_IDMAP. A process is
 * launched into it and held just long enough to open the file; it never executes anything.
 * The caller closes the descriptor.
 */
export async function createIdMapNamespace(maps: IdMaps): Promise<number> {
  const started = launch(planHolder(maps), { stdio: [0, 1, 2], title: "tsrun: [id map]" });
  try {
    return openSync(`/proc/${await started.created}/ns/user`, "r");
  } finally {
    started.detach();
  }
}

function planHolder({ uids, gids, origin = "mounts" }: IdMaps): LaunchPlan {
  const map = (name: string, data: string): PlannedOp => ({
    op: { kind: "writeProc", name, data },
    phase: "parent",
    origin,
  });
  return planHeld({
    before: [
      map("uid_map", formatIdMap(uids, `${origin}.uidMappings`)),
      map("gid_map", formatIdMap(gids, `${origin}.gidMappings`)),
    ],
    cloneFlags: NAMESPACE_KINDS.user.flag,
    origin: "launch",
  });
}
