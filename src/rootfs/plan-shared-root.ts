/**
 * A container without a mount namespace of its own: it joins somebody's, or stays in tsrun's. Its root is
 * a directory there, entered by chroot(2). Whatever a specification wants mounted, made or hidden would be
 * so for everybody in that namespace and stay there afterwards: it is refused, not done.
 */
import type { PlannedOp, Slot, SlotAllocator } from "../plan/index.ts";
import { SLOT_CWD } from "../plan/index.ts";
import type { OciSpec, RootMount } from "../spec/index.ts";
import { O_CLOEXEC, O_PATH } from "./flags.ts";
import { invalid } from "./invalid.ts";
import { opMaker, relative } from "./ops.ts";
import { planWorkdir } from "./plan-workdir.ts";

export interface SharedRootPlan {
  readonly child: readonly PlannedOp[];
  readonly rootSlot: Slot;
  readonly devptsSlot: Slot | undefined;
}

/** Throws INVALID_SPEC, naming the first field that would change the namespace. */
export function planSharedRoot(
  spec: OciSpec,
  root: RootMount,
  { slots, hold }: { readonly slots: SlotAllocator; readonly hold: boolean },
): SharedRootPlan {
  if (root.kind !== "bind" || root.idMapped === true) throw refuse("root.path");
  const touched = fieldsThatMount(spec)[0];
  if (touched !== undefined) throw refuse(touched);
  const child = opMaker("child", "root.path");
  const rootSlot = slots.take();
  const open = (path: string, out: Slot): PlannedOp["op"] => ({
    kind: "open",
    path,
    dir: SLOT_CWD,
    flags: O_PATH | O_CLOEXEC,
    out,
  });
  const devptsSlot = spec.process.terminal ? slots.take() : undefined;
  return {
    rootSlot,
    devptsSlot,
    child: [
      ...(hold ? [opMaker("child", "hooks")({ kind: "hold" })] : []),
      child(open(`${root.path}/.`, rootSlot)),
      child({ kind: "fchdir", slot: rootSlot }),
      ...(relative(root.path) === "." ? [] : [child({ kind: "chroot", path: "." })]),
      ...(devptsSlot === undefined
        ? []
        : [opMaker("child", "process.terminal")(open("/dev/pts/.", devptsSlot))]),
      ...planWorkdir(spec.process.cwd, rootSlot),
    ],
  };
}

function fieldsThatMount({ root, mounts, linux }: OciSpec): readonly string[] {
  const fields: Readonly<Record<string, boolean>> = {
    "root.readonly": root.readonly === true,
    mounts: mounts.length > 0,
    "linux.devices": (linux.devices ?? []).length > 0,
    "linux.maskedPaths": (linux.maskedPaths ?? []).length > 0,
    "linux.readonlyPaths": (linux.readonlyPaths ?? []).length > 0,
    "linux.rootfsPropagation": (linux.rootfsPropagation ?? "") !== "",
    "linux.mountLabel": (linux.mountLabel ?? "") !== "",
    "linux.sysctl": Object.keys(linux.sysctl ?? {}).length > 0,
  };
  return Object.keys(fields).filter((field) => fields[field]);
}

function refuse(field: string): Error {
  return invalid(
    field,
    "the container has no mount namespace of its own, and this would change another's",
    'Add { "type": "mount" } without a path to linux.namespaces, or leave the field out.',
  );
}
