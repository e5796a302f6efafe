/**
 * What a run would ask of the kernel: `tsrun plan`. The host is looked at as for a start; nothing of a
 * container is made.
 */
import type { LaunchPlan } from "../plan/index.ts";
import { closePrepared } from "../runtime/index.ts";
import { checkRequest } from "./bundle/request.ts";
import { composeConfig } from "./create.ts";
import type { Engine } from "./engine.ts";
import { prepareRun } from "./prepare.ts";
import type { ContainerId } from "./records.ts";
import type { ContainerRequest } from "./request.ts";
import { lookUpRequest } from "./request-facts.ts";
import { resolveRoot } from "./root.ts";
import { planRelay } from "./start.ts";
import { chooseIdMaps } from "./userns.ts";
import { nameVolumes } from "./volumes/requested.ts";

/** Every container has another id; a plan always has this one, so that plans can be compared. */
const PLAN_ID = "0".repeat(64) as ContainerId;
const PLAN_NAME = "plan";

/** Throws what `create` and `start` would throw before they ask the kernel. */
export async function planContainer(
  engine: Engine,
  request: ContainerRequest,
): Promise<LaunchPlan> {
  checkRequest(request);
  const root = resolveRoot(engine, request);
  using userns = await chooseIdMaps(engine, request.namespaces?.user);
  const config = composeConfig({
    id: PLAN_ID,
    name: request.name ?? PLAN_NAME,
    request: nameVolumes(
      lookUpRequest(engine, request),
      Object.keys(root.defaults.Volumes ?? {}),
      () => PLAN_ID,
    ),
    root,
    userns: userns.maps,
  });
  const run = await prepareRun(engine, config, undefined);
  try {
    return run.plan(planRelay(engine, config, { attach: undefined, cgroup: run.cgroup }));
  } finally {
    closePrepared(run.prepared);
  }
}
