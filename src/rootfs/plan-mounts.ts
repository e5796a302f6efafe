/** All entries of `mounts` in their order, and the slots of those that something is done in later. */
import { TsrunError } from "../base/errors.ts";
import type { PlannedOp, Slot } from "../plan/index.ts";
import type { OciSpec } from "../spec/index.ts";
import type { RootfsFacts } from "./facts.ts";
import { hasUserNamespace, idMapSlotOf, idMapsKey, mountIdMaps } from "./id-maps.ts";
import { invalid } from "./invalid.ts";
import type { MountPlan, NamespaceOwnership, ReadySlots } from "./mount-context.ts";
import { parseMountOptions } from "./mount-options.ts";
import { isBelow, isReplaceable, REPLACEABLE } from "./mount-places.ts";
import { type RootfsSlots, relative } from "./ops.ts";
import { type ConsolePlan, openDev, planConsole, planDevices } from "./plan-devices.ts";
import type { MountedAt } from "./plan-masks.ts";
import { planMount } from "./plan-mount.ts";

export interface MountsPlan {
  readonly host: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
  readonly proc: Slot | undefined;
  readonly devpts: Slot | undefined;
  readonly console: ConsolePlan;
  readonly mountedAt: MountedAt;
}

const NO_CONSOLE: ConsolePlan = { prepare: [], attach: () => [] };

/** All mounts in their order, and /dev filled as soon as it is there: later mounts may lie in it. */
export function planMounts({
  spec,
  launch,
  facts,
  slots,
}: {
  readonly spec: OciSpec;
  readonly launch: ReadySlots;
  readonly facts: RootfsFacts;
  readonly slots: RootfsSlots;
}): MountsPlan {
  const { mounts, linux, process } = spec;
  const owns = namespaceOwnership(linux);
  const devIndex = mounts.findLastIndex(({ destination }) => relative(destination) === "dev");
  const plans = mounts.map((mount, index): MountPlan => {
    const origin = `mounts[${index}]`;
    assertOutsideProc(mount.destination, mount.type, origin);
    const maps = mountIdMaps(mount, spec, origin);
    return planMount(mount, origin, {
      owns,
      facts,
      slots,
      mountLabel: linux.mountLabel ?? "",
      idMapSlot: maps && idMapSlotOf(idMapsKey(maps), launch, origin),
      prepared: preparedMount(index, mount.options ?? [], launch),
    });
  });
  const dev = planDev({
    spec,
    facts,
    slots,
    devMount: plans[devIndex],
    bound: isBound(mounts[devIndex]),
  });
  const mountedAt = new Map<string, Slot>();
  for (const [index, mount] of mounts.entries()) {
    const mounted = plans[index]?.mounted;
    if (mounted !== undefined) mountedAt.set(`/${relative(mount.destination)}`, mounted);
  }
  const devptsIndex = mounts.findLastIndex(({ type }) => type === "devpts");
  const devpts = plans[devptsIndex]?.mounted;
  if (process.terminal && devpts === undefined) {
    throw invalid(
      "process.terminal",
      "a terminal needs a devpts mount",
      "Mount devpts on /dev/pts.",
    );
  }
  const procIndex = mounts.findLastIndex(
    ({ type, destination }) => type === "proc" && relative(destination) === "proc",
  );
  return {
    host: [...plans.flatMap(({ host }) => host), ...dev.host],
    child: plans
      .flatMap(({ child }, index) => (index === devIndex ? [...child, ...dev.child] : child))
      .concat(devIndex === -1 ? dev.child : []),
    proc: plans[procIndex]?.mounted,
    devpts,
    console: dev.console,
    mountedAt,
  };
}

function isBound(mount: OciSpec["mounts"][number] | undefined): boolean {
  if (!mount) return false;
  return (
    mount.type === "bind" || parseMountOptions(mount.options ?? [], "mounts").bind !== undefined
  );
}

/** A /dev that is bound from elsewhere is complete: nothing is made in it but the console. */
function planDev({
  spec,
  facts,
  slots,
  devMount,
  bound,
}: {
  readonly spec: OciSpec;
  readonly facts: RootfsFacts;
  readonly slots: RootfsSlots;
  readonly devMount: MountPlan | undefined;
  readonly bound: boolean;
}): { host: readonly PlannedOp[]; child: readonly PlannedOp[]; console: ConsolePlan } {
  const devSlot = devMount?.mounted ?? slots.allocator.take();
  const open = devMount?.mounted === undefined ? openDev(devSlot, slots) : [];
  const devices = bound
    ? { host: [], child: [] }
    : planDevices({
        devices: spec.linux.devices ?? [],
        devSlot,
        slots,
        userNamespace: hasUserNamespace(spec.linux),
        facts,
      });
  const console = spec.process.terminal ? planConsole(devSlot, slots) : NO_CONSOLE;
  return {
    host: devices.host,
    child: [...open, ...devices.child, ...console.prepare],
    console,
  };
}

function preparedMount(
  index: number,
  options: readonly string[],
  { preparedMounts }: ReadySlots,
): Slot | undefined {
  const prepared = preparedMounts?.get(index);
  if (prepared === undefined && options.includes("tmpcopyup")) {
    const origin = `mounts[${index}]`;
    throw new TsrunError("UNSUPPORTED", `${origin}: nobody has prepared the tmpfs for tmpcopyup`, {
      origin,
      hint: "Leave the option out, or let createCopiedUpMounts make the mount before the launch.",
    });
  }
  return prepared === "plain" ? undefined : prepared;
}

function assertOutsideProc(destination: string, type: string | undefined, origin: string): void {
  if (!isBelow(destination, "/proc") || type === "proc") return;
  if (isReplaceable(destination)) return;
  throw invalid(
    origin,
    `"${destination}" is inside /proc, where nothing else may be mounted`,
    `Only these can be: ${[...REPLACEABLE].map((path) => `/${path}`).join(", ")}.`,
  );
}

/**
 * Who owns the namespaces that a mount shows. A joined one is the user namespace's only if that is
 * joined as well; which is all that can be told from a specification.
 */
function namespaceOwnership({ namespaces }: OciSpec["linux"]): NamespaceOwnership {
  const find = (wanted: string) => namespaces.find(({ type }) => type === wanted);
  const userJoined = find("user")?.path !== undefined;
  const owns = (type: string) => {
    const namespace = find(type);
    return namespace !== undefined && (namespace.path === undefined || userJoined);
  };
  return {
    userNamespace: find("user") !== undefined,
    network: owns("network"),
    ipc: owns("ipc"),
    pid: find("pid") !== undefined,
    cgroup: find("cgroup") !== undefined,
  };
}
