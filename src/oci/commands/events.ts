import { setTimeout as sleep } from "node:timers/promises";
import { TsrunError } from "../../base/errors.ts";
import { type CgroupStats, readOomKills, readStats } from "../../runtime/index.ts";
import type { CommandModule } from "../command.ts";
import { print } from "../print.ts";
import { type ContainerRecord, readRecord } from "../records.ts";
import { readStatus } from "../status.ts";

export const run: CommandModule["run"] = async ({ flags, operands: [id = ""] }, { root }) => {
  const intervalMs = parseDuration(flags.value("interval") ?? "5s");
  const record = readRecord(root, id);
  if (readStatus(root, record) === "stopped") {
    throw new TsrunError("WRONG_STATE", `container with id ${id} is not running`);
  }
  if (flags.flag("stats")) {
    printEvent("stats", id, statsOf(record));
    return 0;
  }
  let kills = readOomKills(record.cgroup) ?? 0;
  while (readStatus(root, record) !== "stopped") {
    printEvent("stats", id, statsOf(record));
    await sleep(intervalMs);
    const now = readOomKills(record.cgroup) ?? kills;
    if (now > kills) printEvent("oom", id);
    kills = now;
  }
  return 0;
};

function printEvent(type: "stats" | "oom", id: string, data?: unknown): void {
  print(`${JSON.stringify({ type, id, ...(data === undefined ? {} : { data }) })}\n`);
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's time.ParseDuration, as far as anybody types it. */
function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce(
    (sum, [, n = "", unit = ""]) => sum + Number(n) * (UNITS_MS[unit] ?? 0),
    0,
  );
  if (parts.map(([all]) => all).join("") === text && total > 0) return total;
  throw new TsrunError("INVALID_ARGUMENT", "duration interval must be greater than 0");
}

function statsOf({ cgroup }: ContainerRecord): unknown {
  const stats = readStats(cgroup);
  if (!stats) throw new TsrunError("NOT_FOUND", `the cgroup "${cgroup}" is gone`);
  return composeStats(stats);
}

/** runc's layout: cgroup v1's names and units, in which clients were written. */
function composeStats({ cpu, memory, swap, pids, io, hugetlb }: CgroupStats) {
  return {
    cpu: {
      usage: {
        total: (cpu?.usageMicros ?? 0) * 1000,
        kernel: (cpu?.systemMicros ?? 0) * 1000,
        user: (cpu?.userMicros ?? 0) * 1000,
      },
      throttling: throttling(cpu?.throttling),
    },
    memory: memory
      ? {
          cache: memory.cacheBytes,
          usage: {
            limit: limitOf(memory.limitBytes),
            usage: memory.currentBytes,
            max: memory.peakBytes ?? 0,
            failcnt: memory.events.max,
          },
          swap: { limit: limitOf(swap?.limitBytes), usage: swap?.currentBytes ?? 0, failcnt: 0 },
          kernel: { failcnt: 0 },
          kernelTCP: { failcnt: 0 },
          raw: Object.fromEntries(memory.stat),
        }
      : {
          usage: { failcnt: 0 },
          swap: { failcnt: 0 },
          kernel: { failcnt: 0 },
          kernelTCP: { failcnt: 0 },
        },
    pids: pids
      ? { current: pids.current, ...(pids.limit === "max" ? {} : { limit: pids.limit }) }
      : {},
    blkio: composeIo(io),
    hugetlb: Object.fromEntries(
      Object.entries(hugetlb ?? {}).map(([size, { currentBytes, failures }]) => [
        size,
        { usage: currentBytes, failcnt: failures },
      ]),
    ),
    intel_rdt: {},
    network_interfaces: null,
  };
}

function throttling(found: NonNullable<CgroupStats["cpu"]>["throttling"]) {
  if (!found || found.periods === 0) return {};
  const { periods, throttledPeriods, throttledMicros } = found;
  return { periods, throttledPeriods, throttledTime: throttledMicros * 1000 };
}

/** v1's "no limit" is the largest number. */
const UNLIMITED = 2 ** 64 - 1;

function limitOf(limit: number | "max" | undefined): number {
  return limit === undefined || limit === "max" ? UNLIMITED : limit;
}

function composeIo(devices: CgroupStats["io"]) {
  if (!devices || devices.length === 0) return {};
  const entries = (read: "readBytes" | "readOps", write: "writeBytes" | "writeOps") =>
    devices.flatMap((device) => [
      { major: device.major, minor: device.minor, op: "Read", value: device[read] },
      { major: device.major, minor: device.minor, op: "Write", value: device[write] },
    ]);
  return {
    ioServiceBytesRecursive: entries("readBytes", "writeBytes"),
    ioServicedRecursive: entries("readOps", "writeOps"),
  };
}
