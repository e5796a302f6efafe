/**
 * What a launch needs made beforehand because one plan cannot say it: the compiled filter, and user
 * namespaces whose files stand for id maps. Everything made here is a descriptor or bytes: closing the
 * descriptors leaves nothing.
 */
import { closeSync } from "node:fs";
import { UndoStack } from "../base/undo.ts";
import type { Slot } from "../plan/index.ts";
import { createCopiedUpMounts, type IdMapsKey, idMapsNeeded } from "../rootfs/index.ts";
import { type MachineArch, seccompFilter, seccompFlags } from "../security/index.ts";
import type { OciSeccomp, OciSpec, RootMount } from "../spec/index.ts";
import { createIdMapNamespace } from "./id-map-namespace.ts";
import type { CompiledSeccomp } from "./plan-process.ts";

export interface Prepared {
  readonly seccomp?: CompiledSeccomp;
  /** Descriptors that become the plan's first slots, in order. The caller closes them. */
  readonly inherit: readonly number[];
  readonly idMapSlots: ReadonlyMap<IdMapsKey, Slot>;
  /** tmpfs mounts that were filled beforehand (tmpcopyup), by their index in `mounts`. */
  readonly preparedMounts: ReadonlyMap<number, Slot | "plain">;
}

export async function prepareLaunch(
  spec: OciSpec,
  root: RootMount,
  { arch, cacheDir }: { readonly arch: MachineArch; readonly cacheDir: string },
): Promise<Prepared> {
  await using undo = new UndoStack();
  const inherit: number[] = [];
  const idMapSlots = new Map<IdMapsKey, Slot>();
  for (const [key, maps] of idMapsNeeded(spec, root)) {
    const fd = await createIdMapNamespace(maps);
    undo.defer(() => closeSync(fd));
    idMapSlots.set(key, inherit.length as Slot);
    inherit.push(fd);
  }
  const preparedMounts = new Map<number, Slot | "plain">();
  for (const [index, mount] of createCopiedUpMounts(spec, root)) {
    if (mount !== "plain") undo.defer(() => closeSync(mount));
    preparedMounts.set(index, mount === "plain" ? mount : (inherit.length as Slot));
    if (mount !== "plain") inherit.push(mount);
  }
  const { seccomp } = spec.linux;
  const compiled = seccomp ? compile(seccomp, arch, cacheDir) : undefined;
  undo.keep();
  return { ...(compiled ? { seccomp: compiled } : {}), inherit, idMapSlots, preparedMounts };
}

/** The filter and flags of an OCI profile, from the cache where it is there. */
export function compile(seccomp: OciSeccomp, arch: MachineArch, cacheDir: string): CompiledSeccomp {
  return { filter: seccompFilter(seccomp, { arch, cacheDir }), flags: seccompFlags(seccomp) };
}

export function closePrepared({ inherit }: Prepared): void {
  for (const fd of inherit) closeSync(fd);
}
