/**
 * --systemd-cgroup: the container's cgroup is a unit's. A scope lives as long as it has processes and is
 * made with one, so a placeholder is the first: then the container is cloned into the cgroup, with all of
 * its limits set, and the placeholder goes. The number of processes is limited only after that.
 */
import { existsSync } from "node:fs";
import type { UndoStack } from "../base/undo.ts";
import {
  type Placeholder,
  planValues,
  readHierarchy,
  startPlaceholder,
  updateCgroup,
} from "../runtime/index.ts";
import type { OciResources, OciSpec } from "../spec/index.ts";
import {
  connectSystemd,
  parseUnit,
  planAnnotations,
  planCgroupsPath,
  planLimits,
  planUnitStart,
  type Systemd,
  type Unit,
} from "../systemd/index.ts";
import { TRANSIENT_UNITS } from "./transient-units.ts";

/** A unit that is not there yet. */
export interface PlannedUnit extends Unit {
  /** Where its cgroup will be, if systemd's own is the topmost. */
  readonly cgroupsPath: string;
}

/** One that holds the place for the container. */
export interface HeldUnit {
  readonly name: string;
  /** For the container to be cloned into `linux.cgroupsPath`. */
  readonly spec: OciSpec;
  /** The container is in it: what held its place goes, and what could not be limited before is. */
  readonly settle: () => Promise<void>;
  /** Of the connection, when all went well. */
  readonly close: () => Promise<void>;
}

/** Throws INVALID_SPEC. */
export function planUnit({ linux }: OciSpec, id: string): PlannedUnit {
  const unit = parseUnit(linux.cgroupsPath, id);
  return { ...unit, cgroupsPath: planCgroupsPath(unit) };
}

/** Throws UNSUPPORTED without systemd, SYSTEM for what it refuses. */
export async function startUnit(
  unit: PlannedUnit,
  { id, spec, undo }: { readonly id: string; readonly spec: OciSpec; readonly undo: UndoStack },
): Promise<HeldUnit> {
  const { resources = {} } = spec.linux;
  const annotated = planAnnotations(spec.annotations);
  const { systemd, placeholder } = await prepare(unit, undo);
  const { version } = systemd;
  const limits = planLimits(planValues(withoutTasks(resources)), { version });
  const pids = placeholder ? [placeholder.pid] : [];
  await systemd.startUnit(unit.name, planUnitStart(unit, { id, pids, limits, annotated }));
  undo.defer(async () => {
    await placeholder?.end(); // systemd would wait for it: it is held, and heeds no signal but SIGKILL
    await systemd.stopUnit(unit.name);
  });
  const cgroupsPath = await systemd.readControlGroup(unit);
  return {
    name: unit.name,
    spec: {
      ...spec,
      linux: { ...spec.linux, cgroupsPath, resources: withoutTasks(resources) },
    },
    settle: async () => {
      await placeholder?.end();
      await limitTasks(systemd, { name: unit.name, cgroupsPath }, resources);
    },
    close: () => close(systemd),
  };
}

/** The one starts while the other is connected to. */
async function prepare(
  { kind }: PlannedUnit,
  undo: UndoStack,
): Promise<{ readonly systemd: Systemd; readonly placeholder: Placeholder | undefined }> {
  const holding = kind === "scope" ? startPlaceholder() : undefined;
  const connecting = connectSystemd();
  const [held, connected] = await Promise.allSettled([holding, connecting]);
  if (connected.status === "fulfilled") undo.defer(() => close(connected.value));
  const placeholder = held.status === "fulfilled" ? held.value : undefined;
  if (placeholder) undo.defer(placeholder.end);
  await holding;
  return { systemd: await connecting, placeholder };
}

async function close(systemd: Systemd): Promise<void> {
  await systemd[Symbol.asyncDispose]();
}

const TASKS = "pids.max";

/** With a limit of 1 nothing could be cloned beside the placeholder. */
function withoutTasks({ pids: _pids, unified = {}, ...others }: OciResources): OciResources {
  const { [TASKS]: _tasks, ...files } = unified;
  return { ...others, unified: files };
}

/** systemd then writes all of the unit's files anew, with its rounded values: they are made exact again. */
async function limitTasks(
  systemd: Systemd,
  { name, cgroupsPath }: { readonly name: string; readonly cgroupsPath: string },
  { devices: _devices, ...resources }: OciResources,
): Promise<void> {
  const tasks = planValues(resources).filter(({ file }) => file === TASKS);
  if (tasks.length === 0) return;
  const { version } = systemd;
  await systemd.setProperties(name, planLimits(tasks, { version }));
  updateCgroup(`${readHierarchy().mountPoint}${cgroupsPath}`, resources);
}

/**
 * What processes it has must be dead by now: systemd would ask them first to end. As a rule the unit went
 * with them, and with it its file: then there is nothing to ask for.
 */
export async function stopUnit(name: string): Promise<void> {
  if (existsSync(TRANSIENT_UNITS) && !existsSync(`${TRANSIENT_UNITS}/${name}`)) return;
  await using systemd = await connectSystemd();
  await systemd.stopUnit(name);
}

/**
 * Changes the files and tells systemd, which writes them as well: it would put its own values back at its
 * next reload. Rounded ones are made exact again.
 */
export async function updateUnit(
  name: string,
  cgroup: string,
  resources: OciResources,
): Promise<void> {
  await using systemd = await connectSystemd();
  const { version } = systemd;
  const limits = updateCgroup(cgroup, resources);
  await systemd.setProperties(name, planLimits(limits, { version }));
  updateCgroup(cgroup, resources);
}
