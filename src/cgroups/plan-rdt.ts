/**
 * linux.intelRdt: shares of the CPU's caches and memory bandwidth, by the directories and files of the
 * resctrl file system (Documentation/filesystems/resctrl.rst), whose groups are like cgroups.
 * OCI config-linux.md, "IntelRdt".
 */
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot, type SlotAllocator } from "../plan/index.ts";
import type { OciIntelRdt } from "../spec/index.ts";

const ORIGIN = "linux.intelRdt";
const O_PATH_CLOEXEC = 0o10000000 | 0o2000000;
const RMDIR_RETRY_MS = 100;

export interface RdtFacts {
  /** Where resctrl is mounted; undefined where it is not. */
  readonly mountPoint: string | undefined;
  /** The text of the group's `schemata`; undefined for a group that is not there. */
  readonly schemata: string | undefined;
}

export interface RdtPlan {
  readonly host: readonly PlannedOp[];
  /** The child's first ops: it joins the group itself. */
  readonly child: readonly PlannedOp[];
  readonly teardown: readonly PlannedOp[];
}

/** Names that resctrl has itself. */
const RESERVED = new Set([".", "..", "info", "mon_groups", "mon_data"]);

/** The group's name. Throws INVALID_SPEC for one that is no directory's. */
export function rdtGroup({ closID }: OciIntelRdt, id: string): string {
  const name = closID ?? id;
  if (!name.includes("/") && !RESERVED.has(name) && !name.includes("\n")) return name;
  throw invalid(`${ORIGIN}.closID`, `"${name}" cannot be a class of service`);
}

/** Throws UNSUPPORTED where there is no resctrl, INVALID_SPEC for what contradicts the group. */
export function planRdt(
  rdt: OciIntelRdt | undefined,
  {
    id,
    facts,
    slots,
  }: {
    readonly id: string;
    readonly facts: RdtFacts | undefined;
    readonly slots: SlotAllocator;
  },
): RdtPlan {
  if (!rdt) return { host: [], child: [], teardown: [] };
  const name = rdtGroup(rdt, id);
  if (facts?.mountPoint === undefined) {
    throw new TsrunError("UNSUPPORTED", `${ORIGIN}: no resctrl file system is mounted`, {
      origin: ORIGIN,
      hint: "It needs a CPU with RDT, a kernel with CONFIG_X86_CPU_RESCTRL, and: mount -t resctrl resctrl /sys/fs/resctrl.",
    });
  }
  const directory = `${facts.mountPoint}/${name}`;
  const group = slots.take();
  const exists = facts.schemata !== undefined;
  assertFits(rdt, facts.schemata);
  const monitor = rdt.enableMonitoring ? planMonitor(directory, id, slots) : NOTHING;
  return {
    host: [
      ...(exists ? [] : [host({ kind: "mkdir", path: directory, mode: 0o755 })]),
      host({ kind: "open", path: directory, dir: SLOT_CWD, flags: O_PATH_CLOEXEC, out: group }),
      ...schemata(rdt, exists).map(([field, data]) => ({
        ...host(write("schemata", data, group)),
        origin: `${ORIGIN}.${field}`,
        hint: "See info/last_cmd_status in the resctrl file system for what it did not like.",
      })),
      ...monitor.host,
    ],
    child: [join(group), ...monitor.child],
    teardown: [
      ...monitor.teardown,
      ...(exists || rdt.closID !== undefined
        ? []
        : [teardown({ kind: "rmdir", path: directory, retryMs: RMDIR_RETRY_MS })]),
    ],
  };
}

const NOTHING: RdtPlan = { host: [], child: [], teardown: [] };

/** A group of its own to be measured, inside the one that limits. */
function planMonitor(directory: string, id: string, slots: SlotAllocator): RdtPlan {
  const path = `${directory}/mon_groups/${id}`;
  const slot = slots.take();
  return {
    host: [
      host({ kind: "mkdir", path, mode: 0o755 }),
      host({ kind: "open", path, dir: SLOT_CWD, flags: O_PATH_CLOEXEC, out: slot }),
    ],
    child: [join(slot)],
    teardown: [teardown({ kind: "rmdir", path, retryMs: RMDIR_RETRY_MS })],
  };
}

/** 0 is the writer itself. */
function join(group: Slot): PlannedOp {
  return { op: write("tasks", "0", group), phase: "child", origin: ORIGIN };
}

function write(path: string, data: string, dir: Slot): PlannedOp["op"] {
  return { kind: "writeFile", path, data, dir, flags: 0 };
}

function host(op: PlannedOp["op"]): PlannedOp {
  return { op, phase: "host", origin: ORIGIN };
}

function teardown(op: PlannedOp["op"]): PlannedOp {
  return { op, phase: "teardown", origin: ORIGIN, tolerate: ["ENOENT", "EBUSY"] };
}

/** What is to be written, in order; a group that was there has the first part already. */
function schemata(
  { l3CacheSchema, memBwSchema, schemata: lines = [] }: OciIntelRdt,
  exists: boolean,
): readonly (readonly [field: string, data: string])[] {
  const old = combined(l3CacheSchema, memBwSchema);
  return [
    ...(old.length === 0 || exists ? [] : [["l3CacheSchema", text(old)] as const]),
    ...(lines.length === 0 ? [] : [["schemata", text(lines)] as const]),
  ];
}

/** "If l3CacheSchema contains a line beginning with MB:", it gives way to memBwSchema. */
function combined(l3: string | undefined, memory: string | undefined): readonly string[] {
  const lines = (l3 ?? "").split("\n").filter((line) => line !== "");
  if (memory === undefined) return lines;
  if (!memory.startsWith("MB:") || memory.includes("\n")) {
    throw invalid(`${ORIGIN}.memBwSchema`, `"${memory}" is not one line that begins with "MB:"`);
  }
  return [...lines.filter((line) => !line.startsWith("MB:")), memory];
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

function assertFits(
  { closID, l3CacheSchema, memBwSchema, schemata: lines = [] }: OciIntelRdt,
  found: string | undefined,
): void {
  const wanted = combined(l3CacheSchema, memBwSchema);
  if (found === undefined) {
    if (closID === undefined || wanted.length > 0 || lines.length > 0) return;
    throw invalid(`${ORIGIN}.closID`, `there is no class of service "${closID}"`, {
      hint: "Make it first, or give it a schema.",
    });
  }
  const there = new Set(found.split("\n").map(plain));
  const other = wanted.find((line) => !there.has(plain(line)));
  if (other === undefined) return;
  throw invalid(ORIGIN, `the class of service is there already, and without "${other}"`, {
    hint: "Change its schemata, or choose another closID.",
  });
}

/** The kernel pads its lines, and writes masks without leading zeros. */
function plain(line: string): string {
  return line.trim().replace(/(^|[=;:])0+(?=[0-9a-f])/g, "$1");
}

function invalid(
  origin: string,
  what: string,
  options: { readonly hint?: string } = {},
): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: ${what}`, { origin, ...options });
}
