/**
 * What of a request only this host can answer: whether bind sources are there, what device nodes are,
 * which containers are meant whose namespaces are joined.
 */
import { mkdirSync, rmSync, statSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import type { UndoStack } from "../base/undo.ts";
import { probeDevice } from "./device.ts";
import type { Engine } from "./engine.ts";
import type { ContainerRequest, MountRequest, NamespacesRequest } from "./request.ts";
import { resolveContainer } from "./resolve.ts";
import { inStore } from "./store/store-error.ts";

/** Looks only. Throws NOT_FOUND for a bind source, a device or a container that is not there. */
export function lookUpRequest(engine: Engine, request: ContainerRequest): ContainerRequest {
  for (const mount of request.mounts ?? []) checkBindSource(mount);
  return {
    ...request,
    ...(request.devices ? { devices: request.devices.map(probeDevice) } : {}),
    ...(request.namespaces ? { namespaces: resolvePeers(engine, request.namespaces) } : {}),
  };
}

function checkBindSource(mount: MountRequest): void {
  if (mount.type !== "bind" || mount.createSource || isThere(mount.source)) return;
  throw new TsrunError("NOT_FOUND", `the bind source "${mount.source}" does not exist`, {
    hint: "Make it first; `--volume` makes a missing directory by itself.",
    origin: "mounts",
  });
}

/** --volume makes a directory that is missing: podman's rule. */
export function makeBindSources({ mounts = [] }: ContainerRequest, undo: UndoStack): void {
  for (const mount of mounts) {
    if (mount.type !== "bind" || !mount.createSource || isThere(mount.source)) continue;
    const { source } = mount;
    const made = inStore("make", source, () => mkdirSync(source, { recursive: true }));
    if (made !== undefined) undo.defer(() => rmSync(made, { recursive: true, force: true }));
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
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
