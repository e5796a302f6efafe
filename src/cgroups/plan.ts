import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot, type SlotAllocator } from "../plan/index.ts";
import type { OciResources } from "../spec/index.ts";
import type { Controller } from "./controllers.ts";
import { DEFAULT_DEVICE_RULES } from "./device-rules.ts";
import type { CgroupFacts } from "./facts.ts";
import { type ControllersByLevel, planControllers } from "./plan-controllers.ts";
import { DEVICE_PROGRAM, planDeviceFilter } from "./plan-device-filter.ts";
import { planValues } from "./plan-values.ts";
import { type CgroupWrite, isDefault } from "./write.ts";

/** A container's cgroup as requests of its launch. */
export interface CgroupPlan {
  readonly host: readonly PlannedOp[];
  readonly teardown: readonly PlannedOp[];
  /** The open directory, for clone3's CLONE_INTO_CGROUP. */
  readonly cgroupSlot: Slot;
  /** Absolute path of the directory. */
  readonly directory: string;
}

const ORIGIN = "linux.cgroupsPath";
/** fcntl.h, the same on x86-64 and arm64. clone3 and BPF_PROG_ATTACH take an O_PATH descriptor. */
const O_PATH_CLOEXEC = 0o10000000 | 0o2000000;
/** bpf.h: programs of cgroups above and below run as well, and all must allow. */
const BPF_F_ALLOW_MULTI = 2;
/** Killed processes leave the cgroup when they have exited, which takes the kernel a moment: longer on a busy machine. */
const RMDIR_RETRY_MS = 5000;

/**
 * Makes the cgroup of `facts` with these limits, before the container is cloned into it.
 * With `owner`, the container may divide it further: it gets the directory and the files of
 * /sys/kernel/cgroup/delegate. Throws CGROUP_UNAVAILABLE for a limit whose controller is missing
 * or a place where no cgroup can be made, INVALID_SPEC for wrong limits and a cgroup in use.
 */
export function planCgroup({
  facts,
  resources,
  owner,
  slots,
}: {
  readonly facts: CgroupFacts;
  readonly resources: OciResources;
  readonly owner?: CgroupOwner;
  readonly slots: SlotAllocator;
}): CgroupPlan {
  const writes = planValues(resources, facts).filter(
    (write) => !isDefault(write) || hasController(facts, write),
  );
  refusePlace(facts);
  const controllers = planControllers(facts, writes);
  const cgroupSlot = slots.take();
  const directory = absolute(facts, facts.path);
  return {
    cgroupSlot,
    directory,
    host: [
      ...planDirectories(facts, controllers),
      {
        op: {
          kind: "open",
          path: directory,
          dir: SLOT_CWD,
          flags: O_PATH_CLOEXEC,
          out: cgroupSlot,
        },
        phase: "host",
        origin: ORIGIN,
      },
      ...planReuse(facts, cgroupSlot),
      ...writes.map((write) => writeOp(write, cgroupSlot)),
      ...planDevices(resources, cgroupSlot, slots),
      ...(owner ? planOwner(owner, cgroupSlot) : []),
    ],
    teardown: planTeardown(directory, cgroupSlot),
  };
}

/** Host ids that the cgroup is given to, and the files that go with it. cgroup-v2.rst, "Delegation". */
export interface CgroupOwner {
  readonly uid: number;
  readonly gid: number;
  /** The lines of /sys/kernel/cgroup/delegate. */
  readonly files: readonly string[];
}

/**
 * The missing levels from the top down, and in each level above the last the controllers that the
 * next one needs. Levels that exist are the work of others or of an earlier run: they only get what
 * they lack.
 */
function planDirectories(facts: CgroupFacts, controllers: ControllersByLevel): PlannedOp[] {
  const existing = new Set(facts.levels.map(({ path }) => path));
  return controllers.flatMap(({ path, required, optional }) => {
    const leaf = path === facts.path;
    const make: PlannedOp = {
      op: { kind: "mkdir", path: absolute(facts, path), mode: 0o755 },
      phase: "host",
      origin: ORIGIN,
      // A level above may be made by another launch at the same time; the container's own may not.
      ...(leaf ? {} : { tolerate: ["EEXIST"] }),
      hint: leaf
        ? "EEXIST: another container has this cgroup. EACCES, EROFS: give tsrun a delegated cgroup with --cgroup-parent."
        : "Give tsrun a delegated cgroup with --cgroup-parent.",
    };
    return [
      ...(existing.has(path) ? [] : [make]),
      ...(required.length === 0 ? [] : [enableOp(facts, path, required)]),
      ...optional.map((controller) => enableForStatistics(facts, path, controller)),
    ];
  });
}

/**
 * One write each, so that one refusal does not cost the others: EINVAL for cpu beside real-time
 * processes, ENOENT where the level above was refused.
 */
function enableForStatistics(facts: CgroupFacts, path: string, controller: Controller): PlannedOp {
  return { ...enableOp(facts, path, [controller]), tolerate: ["EINVAL", "ENOENT"] };
}

function enableOp(facts: CgroupFacts, path: string, controllers: readonly Controller[]): PlannedOp {
  return {
    op: {
      kind: "writeFile",
      path: `${absolute(facts, path)}/cgroup.subtree_control`,
      data: controllers.map((controller) => `+${controller}`).join(" "),
      dir: SLOT_CWD,
      flags: 0,
    },
    phase: "host",
    origin: ORIGIN,
    hint: `EBUSY: "${path}" holds processes itself, so its children cannot be limited; move them into a cgroup below it.`,
  };
}

/** An empty cgroup that was left behind may be frozen, or divided, which would keep processes out. */
function planReuse({ path, levels }: CgroupFacts, cgroupSlot: Slot): PlannedOp[] {
  const leaf = levels.find((level) => level.path === path);
  if (!leaf) return [];
  const place = { phase: "host", origin: ORIGIN } as const;
  const write = (file: string, data: string): PlannedOp => ({
    ...place,
    op: { kind: "writeFile", path: file, data, dir: cgroupSlot, flags: 0 },
  });
  const disable = leaf.enabled.map((controller) => `-${controller}`).join(" ");
  return [
    write("cgroup.freeze", "0"),
    ...(disable === "" ? [] : [write("cgroup.subtree_control", disable)]),
  ];
}

function writeOp(
  { file, value, origin, tolerate, skipOk, hint }: CgroupWrite,
  cgroupSlot: Slot,
): PlannedOp {
  return {
    op: { kind: "writeFile", path: file, data: value, dir: cgroupSlot, flags: 0 },
    phase: "host",
    origin,
    ...(tolerate ? { tolerate } : {}),
    ...(skipOk === undefined ? {} : { skipOk }),
    ...(hint === undefined ? {} : { hint }),
  };
}

function hasController({ levels }: CgroupFacts, { controller }: CgroupWrite): boolean {
  return controller === undefined || levels[0].available.includes(controller);
}

/**
 * No rules, no filter; and none where everything is allowed. Otherwise the devices that OCI
 * promises are allowed besides.
 */
export function deviceFilter({ devices = [] }: OciResources): Uint8Array | undefined {
  if (devices.length === 0 || planDeviceFilter(devices) === undefined) return undefined;
  return planDeviceFilter([...devices, ...DEFAULT_DEVICE_RULES]);
}

function planDevices(
  resources: OciResources,
  cgroupSlot: Slot,
  slots: SlotAllocator,
): readonly PlannedOp[] {
  const instructions = deviceFilter(resources);
  if (!instructions) return [];
  const place = { phase: "host", origin: "linux.resources.devices" } as const;
  const prog = slots.take();
  const { type, attachType } = DEVICE_PROGRAM;
  return [
    {
      ...place,
      op: { kind: "bpfProgLoad", instructions, progType: type, attachType, out: prog },
      hint: "The kernel needs CONFIG_CGROUP_BPF, and tsrun CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN.",
    },
    {
      ...place,
      op: { kind: "bpfProgAttach", prog, target: cgroupSlot, attachType, flags: BPF_F_ALLOW_MULTI },
    },
    { ...place, op: { kind: "close", slot: prog } },
  ];
}

function planOwner({ uid, gid, files }: CgroupOwner, cgroupSlot: Slot): readonly PlannedOp[] {
  // The empty name is the directory itself.
  return ["", ...files].map((name) => ({
    op: { kind: "chown", name, dir: cgroupSlot, uid, gid },
    phase: "host",
    origin: ORIGIN,
    // A file of a controller that is not enabled here.
    tolerate: ["ENOENT"],
  }));
}

/**
 * Kills what is left, and removes the directory. Both only if this launch has opened it: a launch
 * that failed because the cgroup is another container's must not touch that one (EBADF). The stage's
 * rmdir takes the cgroups along that the container made inside; should that fail, `removeCgroup`
 * finds them later.
 */
function planTeardown(directory: string, cgroupSlot: Slot): readonly PlannedOp[] {
  const place = { phase: "teardown", origin: ORIGIN } as const;
  return [
    {
      ...place,
      op: { kind: "open", path: ".", dir: cgroupSlot, flags: O_PATH_CLOEXEC, out: cgroupSlot },
      tolerate: ["EBADF", "ENOENT"],
      skipFailed: 2,
    },
    {
      ...place,
      op: { kind: "writeFile", path: "cgroup.kill", data: "1", dir: cgroupSlot, flags: 0 },
      // Before Linux 5.14; and the cgroup may be gone already.
      tolerate: ["ENOENT"],
    },
    {
      ...place,
      op: { kind: "rmdir", path: directory, retryMs: RMDIR_RETRY_MS },
      tolerate: ["ENOENT", "EBUSY"],
    },
  ];
}

function refusePlace({ levels, path, mountPoint, held = false }: CgroupFacts): void {
  if (path === "/") {
    throw new TsrunError("INVALID_SPEC", "a container cannot be put into the topmost cgroup", {
      origin: ORIGIN,
      hint: "Name one below it, e.g. /tsrun/NAME.",
    });
  }
  const leaf = levels.find((level) => level.path === path);
  if (!leaf?.occupied || held) return;
  throw new TsrunError("INVALID_SPEC", `the cgroup "${path}" holds processes already`, {
    origin: ORIGIN,
    hint: `See ${mountPoint}${path}/cgroup.procs; a container needs a cgroup of its own.`,
  });
}

function absolute({ mountPoint }: CgroupFacts, path: string): string {
  return path === "/" ? mountPoint : `${mountPoint}${path}`;
}
