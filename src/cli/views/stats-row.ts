/**
 * What a container uses as a row of stats, with podman's fields. "--" stands for what the kernel does
 * not count here.
 */
import { type ContainerConfig, type ContainerStats, cpuPercent } from "../../engine/index.ts";
import { humanSize, psTime, shortId } from "../format/human.ts";
import type { ValueRecord } from "../format/value.ts";

export const STATS_TABLE =
  "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.BlockIO}}\t{{.PIDs}}\t{{.CPUTime}}\t{{.Pressure}}";

export const STATS_HEADINGS: Readonly<Record<string, string>> = {
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  BlockIO: "BLOCK IO",
  PIDs: "PIDS",
  CPUTime: "CPU TIME",
  Pressure: "PRESSURE CPU/MEM/IO",
};

const UNKNOWN = "--";

interface StatsRowOptions {
  readonly truncate: boolean;
}

export function statsRow(
  now: ContainerStats,
  before: ContainerStats | undefined,
  { truncate }: StatsRowOptions,
): ValueRecord {
  const percent = cpuPercent(now, before);
  return {
    ID: truncate ? shortId(now.id) : now.id,
    Name: now.name,
    CPUPerc: percent === undefined ? UNKNOWN : `${percent.toFixed(2)}%`,
    CPUTime: now.cpu === undefined ? UNKNOWN : psTime(now.cpu.usageMicros / 1e6),
    CPUNano: now.cpu === undefined ? null : now.cpu.usageMicros * 1000,
    ThrottledMicros: now.cpu?.throttling?.throttledMicros ?? null,
    ...memoryFields(now),
    ...ioFields(now),
    PIDs: now.pids === undefined ? UNKNOWN : now.pids.current,
    PidsLimit: finite(now.pids?.limit) ?? null,
    ...pressureFields(now),
    Status: now.status,
    Time: now.time,
  };
}

function memoryFields({ memory, swap }: ContainerStats): ValueRecord {
  const limit = finite(memory?.limitBytes);
  const share = memory && limit !== undefined ? (100 * memory.currentBytes) / limit : undefined;
  return {
    MemUsage: `${sizeText(memory?.currentBytes)} / ${sizeText(limit)}`,
    MemPerc: share === undefined ? UNKNOWN : `${share.toFixed(2)}%`,
    MemUsageBytes: memory?.currentBytes ?? null,
    MemPeakBytes: memory?.peakBytes ?? null,
    MemLimitBytes: limit ?? null,
    SwapBytes: swap?.currentBytes ?? null,
    OOMKills: memory?.events.oomKill ?? null,
  };
}

function ioFields({ io }: ContainerStats): ValueRecord {
  const read = io?.reduce((sum, device) => sum + device.readBytes, 0);
  const written = io?.reduce((sum, device) => sum + device.writeBytes, 0);
  return {
    BlockIO: `${sizeText(read)} / ${sizeText(written)}`,
    BlockInput: read ?? null,
    BlockOutput: written ?? null,
  };
}

function pressureFields({ pressure }: ContainerStats): ValueRecord {
  const [cpu, memory, io] = (["cpu", "memory", "io"] as const).map(
    (kind) => pressure[kind]?.some.avg10,
  );
  const text = (share: number | undefined) => (share === undefined ? UNKNOWN : share.toFixed(1));
  return {
    Pressure: [cpu, memory, io].map(text).join("/"),
    PressureCPU: cpu ?? null,
    PressureMemory: memory ?? null,
    PressureIO: io ?? null,
  };
}

/** One that does not run. */
export function idleRow({ id, name }: ContainerConfig, { truncate }: StatsRowOptions): ValueRecord {
  return {
    ID: truncate ? shortId(id) : id,
    Name: name,
    CPUPerc: UNKNOWN,
    CPUTime: UNKNOWN,
    MemUsage: `${UNKNOWN} / ${UNKNOWN}`,
    MemPerc: UNKNOWN,
    BlockIO: `${UNKNOWN} / ${UNKNOWN}`,
    PIDs: UNKNOWN,
    Pressure: `${UNKNOWN}/${UNKNOWN}/${UNKNOWN}`,
    Status: "stopped",
    Time: null,
    CPUNano: null,
    ThrottledMicros: null,
    MemUsageBytes: null,
    MemPeakBytes: null,
    MemLimitBytes: null,
    SwapBytes: null,
    BlockInput: null,
    BlockOutput: null,
    PidsLimit: null,
    OOMKills: null,
    PressureCPU: null,
    PressureMemory: null,
    PressureIO: null,
  };
}

function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? UNKNOWN : humanSize(bytes);
}

/** "max" and Infinity are no limit. */
function finite(limit: unknown): number | undefined {
  return typeof limit === "number" && Number.isFinite(limit) && limit >= 0 ? limit : undefined;
}
