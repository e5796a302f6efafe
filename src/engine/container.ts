/**
 * One container as it is now: its records read and its status derived, and the way for a command to
 * have it for itself.
 */
import { TsrunError } from "../base/errors.ts";
import { holdDisk } from "./disk/hold.ts";
import { containerPaths, type Engine } from "./engine.ts";
import { readExitRecord } from "./exit-record.ts";
import { repairRemnant } from "./reconcile.ts";
import type { ContainerConfig, ContainerId, ContainerView } from "./records.ts";
import { noSuchContainer, resolveContainer } from "./resolve.ts";
import { deriveStatus, type ObservedContainer } from "./status.ts";
import { readConfig } from "./store/config.ts";
import { lockContainer, tryLockContainer } from "./store/lock.ts";
import { isProcessAlive } from "./store/process-identity.ts";
import { hasRunDirectory, readBootId, readState } from "./store/state.ts";

/** undefined if it does not exist. Looks only. */
export function observeContainer(
  engine: Engine,
  id: ContainerId,
  options: { readonly lockHeld: boolean },
): ObservedContainer | undefined {
  const config = readConfig(engine, id);
  return config && observe(engine, config, options);
}

function observe(
  engine: Engine,
  config: ContainerConfig,
  options: { readonly lockHeld: boolean },
): ObservedContainer {
  // The supervisor is looked at before the exit record: one that dies in between has written it.
  const state = readState(engine, config.id);
  const supervisorAlive = state?.supervisor !== undefined && isProcessAlive(state.supervisor);
  const exit = readExitRecord(containerPaths(engine, config.id).exit);
  const facts = {
    bootId: readBootId(),
    hasRunDirectory: state !== undefined || hasRunDirectory(engine, config.id),
    supervisorAlive,
    holderDead: state?.heldBy !== undefined && !isProcessAlive(state.heldBy),
    ...(state ? { state } : {}),
    ...(exit ? { exit } : {}),
  };
  return {
    config,
    ...deriveStatus(facts, options),
    ...(state ? { state } : {}),
    ...(exit ? { exit } : {}),
  };
}

/** As commands that change nothing see it; a remnant is cleared away if nobody is at work on it. */
export async function viewContainer(engine: Engine, id: ContainerId): Promise<ContainerView> {
  const view = await viewIfThere(engine, id);
  if (!view) throw noSuchContainer(id);
  return view;
}

/** Like viewContainer, but undefined for a container that has gone meanwhile. */
export async function viewIfThere(
  engine: Engine,
  id: ContainerId,
): Promise<ContainerView | undefined> {
  const seen = observeContainer(engine, id, { lockHeld: true });
  const settled = seen && seen.status !== "starting" && seen.status !== "removing";
  if (!seen || (settled && (seen.remnant === "none" || seen.remnant === "ended"))) return seen;
  // A start that is under way holds the lock; a start that was killed does not.
  const lock = tryLockContainer(engine, id);
  if (lock === "held") return seen;
  if (lock === "gone") return undefined;
  using _held = lock;
  return ownContainer(engine, id);
}

/**
 * Resolves the reference and runs `command` with the container's lock held and whatever a killed
 * command or supervisor left repaired. A disk of the container's own is mounted meanwhile, unless the
 * command has no need of it: it can then do without a disk that is broken.
 */
export async function withContainer<T>(
  engine: Engine,
  ref: string,
  command: (container: ContainerView) => Promise<T>,
  signal?: AbortSignal,
  { disk = true }: { readonly disk?: boolean } = {},
): Promise<T> {
  const id = resolveContainer(engine, ref);
  using held = await lockContainer(engine, id, signal);
  const container = held && (await ownContainer(engine, id));
  if (!container) throw noSuchContainer(ref);
  using _disk = disk ? holdDisk(engine, container.config) : undefined;
  return await command(container);
}

/** The caller holds the container's lock. */
async function ownContainer(engine: Engine, id: ContainerId): Promise<ContainerView | undefined> {
  const seen = observeContainer(engine, id, { lockHeld: false });
  if (!seen || seen.remnant === "none") return seen;
  await repairRemnant(engine, seen);
  return observeContainer(engine, id, { lockHeld: false });
}

/** Whether an error says that the container does not exist (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof TsrunError && error.code === "NOT_FOUND";
}
