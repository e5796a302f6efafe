/**
 * A running container stands still while something is done with its files. Should this process be
 * killed meanwhile, the record says who held it, and the next command lets it go on.
 */
import process from "node:process";
import { faultPoint } from "../base/fault.ts";
import { readProcessIdentity } from "../base/process-identity.ts";
import { freezeCgroup, thawCgroup } from "../runtime/index.ts";
import type { Engine } from "./engine.ts";
import type { ContainerState, ContainerView } from "./records.ts";
import { writeState } from "./store/state.ts";

/** One that is paused stays so. The caller holds the container's lock. */
export async function whileHeld<T>(
  engine: Engine,
  container: ContainerView,
  work: () => Promise<T> | T,
): Promise<T> {
  if (container.status === "paused") return await work();
  const { state } = container;
  if (state?.cgroup === undefined) throw new Error(`"${container.config.name}" has no cgroup`);
  const heldBy = readProcessIdentity(process.pid);
  writeState(engine, { ...state, status: "paused", ...(heldBy ? { heldBy } : {}) });
  faultPoint();
  try {
    await freezeCgroup(state.cgroup);
    faultPoint();
    return await work();
  } finally {
    letGo(engine, state);
  }
}

/** Lets what `whileHeld` held go on, whether this process held it or one that was killed. */
export function letGo(engine: Engine, state: ContainerState): void {
  const { heldBy: _heldBy, ...own } = state;
  if (own.cgroup !== undefined) thawCgroup(own.cgroup);
  faultPoint();
  writeState(engine, { ...own, status: "running" });
}
