/**
 * Which controllers each level of the path must pass on, and whether it can.
 */
import { TsrunError } from "../base/errors.ts";
import { CONTROLLERS, type Controller, DEFAULT_CONTROLLERS } from "./controllers.ts";
import type { CgroupFacts, CgroupLevel } from "./facts.ts";
import { ancestors } from "./path.ts";
import type { CgroupWrite } from "./write.ts";

/** From the top down to the container's cgroup, which passes nothing on. */
export type ControllersByLevel = readonly {
  readonly path: string;
  /** To be enabled for its children, because a limit needs them. */
  readonly required: readonly Controller[];
  /** To be enabled for its children where that works. */
  readonly optional: readonly Controller[];
}[];

/** Throws CGROUP_UNAVAILABLE, naming the controller, the field that needs it and the remedy. */
export function planControllers(
  facts: CgroupFacts,
  writes: readonly CgroupWrite[],
): ControllersByLevel {
  const [top] = facts.levels;
  const needs = new Map<Controller, string>();
  for (const { controller, origin } of writes) {
    if (controller && !needs.has(controller)) needs.set(controller, origin);
  }
  for (const [controller, origin] of needs) {
    if (!top.available.includes(controller)) throw unavailable(facts, controller, origin);
  }
  refuseReadOnly(facts);
  const required = CONTROLLERS.filter((controller) => needs.has(controller));
  let optional = DEFAULT_CONTROLLERS.filter(
    (controller) => top.available.includes(controller) && !needs.has(controller),
  );
  const levels = new Map(facts.levels.map((level) => [level.path, level]));
  const plan = ["/", ...ancestors(facts.path)].map((path) => {
    const level = levels.get(path);
    const lacks = (controller: Controller) => !level?.enabled.includes(controller);
    const missing = required.filter(lacks);
    const [first] = missing;
    if (level && cannotEnable(level)) {
      if (first) throw blocked(facts, level, first, needs.get(first) ?? "");
      // Nothing new passes here, so the levels below cannot have it either.
      optional = optional.filter((controller) => level.enabled.includes(controller));
    }
    return { path, required: missing, optional: optional.filter(lacks) };
  });
  return [...plan, { path: facts.path, required: [], optional: [] }];
}

/** cgroup-v2.rst, "No Internal Process Constraint" and "Threads". */
function cannotEnable({ occupied, type }: CgroupLevel): boolean {
  return occupied || (type !== undefined && type !== "domain");
}

function unavailable(facts: CgroupFacts, controller: Controller, origin: string): TsrunError {
  const [top] = facts.levels;
  const hint =
    top.type === undefined
      ? `cgroup v1 may hold it (grep ${controller} /proc/cgroups): boot with cgroup_no_v1=${controller} or systemd.unified_cgroup_hierarchy=1.`
      : "The cgroup above this cgroup namespace does not pass it on; enable it there.";
  return new TsrunError(
    "CGROUP_UNAVAILABLE",
    `${origin} needs the ${controller} controller, which "${facts.mountPoint}" does not have`,
    { origin, hint },
  );
}

function blocked(
  { mountPoint }: CgroupFacts,
  { path, occupied, type }: CgroupLevel,
  controller: Controller,
  origin: string,
): TsrunError {
  const message = `${origin} needs the ${controller} controller, which the cgroup "${path}" cannot pass on`;
  const hint = occupied
    ? `It holds processes itself: move those of ${mountPoint}${path}/cgroup.procs into a cgroup below it, or choose another --cgroup-parent.`
    : `It is a ${type} cgroup: choose another --cgroup-parent.`;
  return new TsrunError("CGROUP_UNAVAILABLE", message, { origin, hint });
}

function refuseReadOnly({ writable, levels, path, mountPoint }: CgroupFacts): void {
  const deepest = levels.at(-1);
  if (writable || deepest?.path === path) return;
  throw new TsrunError(
    "CGROUP_UNAVAILABLE",
    `cannot make the cgroup "${path}": "${mountPoint}${deepest?.path}" is not writable`,
    {
      origin: "linux.cgroupsPath",
      hint: "Run as root, mount cgroup v2 read-write, or give tsrun a delegated cgroup with --cgroup-parent.",
    },
  );
}
