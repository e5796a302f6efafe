/**
 * Making a container: everything about it that does not change from run to run is decided and
 * recorded here. Nothing of it runs, and nothing is mounted.
 */
import { mkdirSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import { containerHostname, resolveProcess } from "./bundle/process.ts";
import { checkRequest } from "./bundle/request.ts";
import { randomContainerId } from "./container-id.ts";
import { probeDevice } from "./device.ts";
import { containerPaths, containersDirectory, type Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { randomName } from "./random-name.ts";
import type { ContainerConfig, ContainerId } from "./records.ts";
import type { ContainerRequest, MountRequest, NamespacesRequest } from "./request.ts";
import { resolveContainer } from "./resolve.ts";
import { type ResolvedRoot, resolveRoot } from "./root.ts";
import { writeConfig } from "./store/config.ts";
import { type Lock, lock } from "./store/lock.ts";
import { nameInUse, releaseName, takeName } from "./store/names.ts";
import { inStore } from "./store/store-error.ts";
import { chooseIdMaps } from "./userns.ts";

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

export async function createLocked(
  engine: Engine,
  request: ContainerRequest,
): Promise<CreatedContainer> {
  checkRequest(request);
  await using undo = new UndoStack();
  const root = resolveRoot(engine, request);
  const id = randomContainerId();
  const resolved = resolveRequest(engine, request, undo);
  const held = await lock(engine, id);
  undo.defer(() => {
    held.removeFile();
    held[Symbol.dispose]();
  });
  const name = await claimName(engine, request.name, id);
  undo.defer(() => releaseName(engine, name));
  makeDirectories(engine, id, undo);
  using userns = await chooseIdMaps(engine, request.namespaces?.user);
  const config = composeConfig({ id, name, request: resolved, root, userns: userns.maps });
  writeConfig(engine, config);
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

/** The name that was asked for, or a random one that is free. */
async function claimName(
  engine: Engine,
  wanted: string | undefined,
  id: ContainerId,
): Promise<string> {
  if (wanted !== undefined) {
    if (await takeName(engine, wanted, id)) return wanted;
    throw nameInUse(wanted);
  }
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    const name = attempt < NAME_ATTEMPTS / 2 ? randomName() : `${randomName()}${attempt}`;
    if (await takeName(engine, name, id)) return name;
  }
  throw new TsrunError("NAME_IN_USE", "no free random name was found", {
    hint: "There are very many containers: choose a name with --name.",
  });
}

/** Whatever lies in the container's directory by then goes with it. */
function makeDirectories(engine: Engine, id: ContainerId, undo: UndoStack): void {
  const { dir, upper, work } = containerPaths(engine, id);
  inStore("make", dir, () => {
    makeBelow(containersDirectory(engine), dir);
    undo.defer(() => rmSync(dir, { recursive: true, force: true }));
    mkdirSync(upper, { mode: 0o755 });
    mkdirSync(work, { mode: 0o700 });
  });
}

/** Others may pass through to a rootfs that a user namespace's ids own, but list nothing. */
function makeBelow(parent: string, dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o711 });
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    mkdirSync(parent, { recursive: true, mode: 0o711 });
    mkdirSync(dir, { mode: 0o711 });
  }
}

/**
 * What of the request only this host can answer: bind sources are there (or made), device nodes are
 * looked at, containers whose namespaces are joined are named by id, which a rename does not change.
 */
export function resolveRequest(
  engine: Engine,
  request: ContainerRequest,
  undo: UndoStack,
): ContainerRequest {
  for (const mount of request.mounts ?? []) prepareBindSource(mount, undo);
  return {
    ...request,
    ...(request.devices ? { devices: request.devices.map(probeDevice) } : {}),
    ...(request.namespaces ? { namespaces: resolvePeers(engine, request.namespaces) } : {}),
  };
}

function prepareBindSource(mount: MountRequest, undo: UndoStack): void {
  if (mount.type !== "bind" || statSync(mount.source, { throwIfNoEntry: false })) return;
  if (!mount.createSource) {
    throw new TsrunError("NOT_FOUND", `the bind source "${mount.source}" does not exist`, {
      hint: "Make it first; `--volume` makes a missing directory by itself.",
      origin: "mounts",
    });
  }
  const made = inStore("make", mount.source, () => mkdirSync(mount.source, { recursive: true }));
  if (made !== undefined) undo.defer(() => rmSync(made, { recursive: true, force: true }));
}

type SharedChoice = "pid" | "ipc" | "uts" | "cgroup" | "network";
const SHARED_CHOICES: readonly SharedChoice[] = ["pid", "ipc", "uts", "cgroup", "network"];

function resolvePeers(engine: Engine, choices: NamespacesRequest): NamespacesRequest {
  const resolved = SHARED_CHOICES.flatMap((type) => {
    const choice = choices[type];
    if (choice?.kind !== "container") return [];
    return [[type, { ...choice, container: resolveContainer(engine, choice.container) }]];
  });
  return { ...choices, ...Object.fromEntries(resolved) };
}
