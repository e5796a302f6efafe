/**
 * Making a container: everything about it that does not change from run to run is decided and
 * recorded here. Nothing of it runs, and nothing is mounted.
 */
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { UndoStack } from "../base/undo.ts";
import { removeTree } from "../ffi/index.ts";
import { createUpper } from "../overlay/index.ts";
import { randomVolumeName } from "../volumes/index.ts";
import { containerHostname, resolveProcess } from "./bundle/process.ts";
import { checkRequest } from "./bundle/request.ts";
import { randomContainerId, shortId } from "./container-id.ts";
import { createDisk } from "./disk/create.ts";
import { containerPaths, containersDirectory, type Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { ownLayer, upperPaths, withLayers } from "./layers.ts";
import { makeMountPoints } from "./mount-points.ts";
import { randomName } from "./random-name.ts";
import type { ContainerConfig, ContainerId, DiskQuota } from "./records.ts";
import type { ContainerRequest } from "./request.ts";
import { lookUpRequest, makeBindSources } from "./request-facts.ts";
import { type ResolvedRoot, resolveRoot } from "./root.ts";
import { writeConfig } from "./store/config.ts";
import { type Lock, lockContainer } from "./store/lock.ts";
import { nameInUse, readNameLink, releaseName, takeName } from "./store/names.ts";
import { inStore } from "./store/store-error.ts";
import { chooseIdMaps } from "./userns.ts";
import { claimVolumes } from "./volumes/claim.ts";
import { nameVolumes } from "./volumes/requested.ts";

/**
 * Records a new container. Throws INVALID_ARGUMENT for a request that cannot be meant, NOT_FOUND for
 * an image, root, bind source or device that is not there, NAME_IN_USE; then nothing is left.
 */
export async function createContainer(
  engine: Engine,
  request: ContainerRequest,
): Promise<ContainerConfig> {
  const { config, held } = await createLocked(engine, request);
  held[Symbol.dispose]();
  return config;
}

export interface CreatedContainer {
  readonly config: ContainerConfig;
  /** The container's lock, still held: whoever goes on with it is not interrupted. */
  readonly held: Lock;
}

export interface CreateLockedOptions {
  readonly throwaway?: boolean;
  /** What is asked for is looked up without it. */
  readonly root?: ResolvedRoot;
  /** Puts into the new container's directory what it begins with, before anybody sees the container. */
  readonly fill?: (id: ContainerId, undo: UndoStack) => Pick<ContainerConfig, "layers">;
  /** Writes the container's record, by which it exists, and answers it. */
  readonly record?: (draft: ContainerConfig) => Promise<ContainerConfig> | ContainerConfig;
}

export async function createLocked(
  engine: Engine,
  request: ContainerRequest,
  {
    throwaway = false,
    root = resolveRoot(engine, request),
    fill,
    record = (config) => {
      writeConfig(engine, config);
      return config;
    },
  }: CreateLockedOptions = {},
): Promise<CreatedContainer> {
  checkRequest(request);
  await using undo = new UndoStack();
  const resolved = nameVolumes(
    lookUpRequest(engine, request),
    Object.keys(root.defaults.Volumes ?? {}),
    randomVolumeName,
  );
  makeBindSources(request, undo);
  if (root.image) makeMountPoints(engine);
  const { id, held, quota } = await makeDirectory(engine, request, root.rootLayer, undo);
  const name = await claimName(engine, { wanted: request.name, throwaway, id });
  undo.defer(() => releaseOwnName(engine, name, id));
  const filled = fill?.(id, undo);
  using _volumes = await claimVolumes(engine, id, resolved, undo);
  using userns = await chooseIdMaps(engine, request.namespaces?.user);
  const composed = composeConfig({ id, name, request: resolved, root, userns: userns.maps });
  const limited = quota ? { ...composed, quota } : composed;
  const draft = filled?.layers ? withLayers(limited, filled.layers) : limited;
  const config = await record(draft);
  recordEvent(engine, config, "create");
  undo.keep();
  return { config, held };
}

/** Pure, but for the clock and the host's name. Also what `plan` shows of a container that is never made. */
export function composeConfig({
  id,
  name,
  request,
  root,
  userns,
}: {
  readonly id: ContainerId;
  readonly name: string;
  readonly request: ContainerRequest;
  readonly root: ResolvedRoot;
  readonly userns: ContainerConfig["userns"];
}): ContainerConfig {
  const ownHostname = containerHostname(request, id, hostname());
  const merged = { ...request, name, labels: { ...root.labels, ...request.labels } };
  return {
    version: 1,
    id,
    name,
    createdAt: new Date().toISOString(),
    request: merged,
    ...(root.image ? { image: root.image } : {}),
    process: resolveProcess(request, root.defaults, { hostname: ownHostname }),
    ...(userns ? { userns } : {}),
  };
}

const NAME_ATTEMPTS = 20;

/** The name that was asked for, or a random one that is free; a throwaway has only its short id. */
async function claimName(
  engine: Engine,
  {
    wanted,
    throwaway,
    id,
  }: { readonly wanted: string | undefined; readonly throwaway: boolean; readonly id: ContainerId },
): Promise<string> {
  if (wanted !== undefined) {
    if (await takeName(engine, wanted, id)) return wanted;
    throw nameInUse(wanted);
  }
  if (throwaway) return shortId(id);
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    const name = attempt < NAME_ATTEMPTS / 2 ? randomName() : `${randomName()}${attempt}`;
    if (await takeName(engine, name, id)) return name;
  }
  throw new TsrunError("NAME_IN_USE", "no free random name was found", {
    hint: "There are very many containers: choose a name with --name.",
  });
}

function releaseOwnName(engine: Engine, name: string, id: ContainerId): void {
  if (readNameLink(engine, name) === id) releaseName(engine, name);
}

/**
 * The container's directory, new and locked, with an empty upper. Whatever lies in it if the creation
 * fails goes with it.
 */
async function makeDirectory(
  engine: Engine,
  request: ContainerRequest,
  below: string | undefined,
  undo: UndoStack,
): Promise<{ readonly id: ContainerId; readonly held: Lock; readonly quota?: DiskQuota }> {
  const id = randomContainerId();
  const { dir } = containerPaths(engine, id);
  inStore("make", dir, () => makeBelow(containersDirectory(engine), dir));
  undo.defer(() => removeTree(dir));
  const held = await lockContainer(engine, id);
  // A repair that came between the two lines has taken the empty directory for rubbish.
  if (!held) return makeDirectory(engine, request, below, undo);
  const both = new DisposableStack();
  both.use(held);
  undo.defer(() => both.dispose());
  const { disk } = request;
  const made = disk ? await createDisk(engine, id, { ...request, disk }, undo) : undefined;
  if (made) both.use(made.held);
  const upper = upperPaths(engine, ownLayer({ id, request }, 0));
  inStore("make", dir, () => {
    createUpper(upper, below);
  });
  return { id, held: both, ...(made?.quota ? { quota: made.quota } : {}) };
}

/** Others may pass through to a rootfs that a user namespace's ids own, but list nothing. */
function makeBelow(parent: string, dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o711 });
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    makeDirectories(parent, 0o711);
    mkdirSync(dir, { mode: 0o711 });
  }
}
