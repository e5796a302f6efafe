import { faultPoint } from "../base/fault.ts";
import { updateCgroup } from "../runtime/index.ts";
import { composeLimits } from "./bundle/resources.ts";
import { withContainer } from "./container.ts";
import { growDisk, planGrowth } from "./disk/grow.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { readResourceFacts } from "./host.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { ContainerConfig } from "./records.ts";
import type { LimitsRequest } from "./request.ts";
import { writeConfig } from "./store/config.ts";

export interface UpdateOptions {
  /** How large its disk is to be; it can only grow. */
  readonly diskBytes?: number;
}

/**
 * Changes the limits that are given: at once if the container runs, and for all its later starts.
 * Nothing is changed if the kernel refuses one of them.
 */
export async function updateContainer(
  engine: Engine,
  ref: string,
  changed: LimitsRequest,
  { diskBytes }: UpdateOptions = {},
): Promise<ContainerConfig> {
  return withContainer(engine, ref, async ({ config, status, state }) => {
    checkLifecycle("update", status, config);
    const disk = diskBytes === undefined ? undefined : planGrowth(config, diskBytes);
    const limits = { ...config.request.limits, ...changed };
    const facts = readResourceFacts();
    const all = composeLimits(limits, facts); // what is wrong with the whole is said even at rest
    if (state?.cgroup !== undefined) {
      const { pids, ...others } = composeLimits(changedWithPartners(limits, changed), facts);
      const ofChanged = changed.pidsLimit === undefined ? others : { ...others, pids };
      updateCgroup(state.cgroup, ofChanged as typeof all);
    }
    if (disk) {
      const running = status === "running" || status === "paused";
      await growDisk(engine, config, disk, { running });
      faultPoint();
    }
    const request = { ...config.request, limits, ...(disk ? { disk } : {}) };
    const updated = { ...config, request };
    writeConfig(engine, updated);
    recordEvent(engine, updated, "update");
    return updated;
  });
}

/** Memory and swap are one sum in the request: changing the one moves the other in the kernel. */
function changedWithPartners(all: LimitsRequest, changed: LimitsRequest): LimitsRequest {
  const touchesMemory = changed.memoryBytes !== undefined || changed.memorySwapBytes !== undefined;
  if (!touchesMemory) return changed;
  const { memoryBytes, memorySwapBytes } = all;
  return {
    ...changed,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(memorySwapBytes === undefined ? {} : { memorySwapBytes }),
  };
}
