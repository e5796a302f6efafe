/**
 * What a cgroup has used, as the kernel counts it now.
 */
import { readOomKills } from "./events.ts";
import { readFileNames, readIfThere } from "./files.ts";
import { type Limit, parseFlatKeyed, parseLimit, parseNestedKeyed, parseNumber } from "./keyed.ts";

/** A part is undefined where its controller is not enabled or the kernel does not count it; never 0 instead. */
export interface CgroupStats {
  readonly cpu: CpuStats | undefined;
  readonly memory: MemoryStats | undefined;
  readonly swap: SwapStats | undefined;
  readonly io: readonly IoDeviceStats[] | undefined;
  readonly pids: PidsStats | undefined;
  readonly hugetlb: Readonly<Record<string, HugetlbStats>> | undefined;
  readonly pressure: Readonly<Record<"cpu" | "memory" | "io", Pressure | undefined>>;
}

export interface CpuStats {
  readonly usageMicros: number;
  readonly userMicros: number;
  readonly systemMicros: number;
  readonly throttling: ThrottlingStats | undefined;
}

export interface ThrottlingStats {
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledMicros: number;
}

export interface MemoryStats {
  readonly currentBytes: number;
  /** Linux 5.19. */
  readonly peakBytes: number | undefined;
  readonly limitBytes: Limit;
  /** `memory.stat`, by the kernel's names. Most are bytes. */
  readonly stat: ReadonlyMap<string, number>;
  /** Page cache (`memory.stat`, "file"). */
  readonly cacheBytes: number;
  /** `memory.events`: how often each happened here and below. */
  readonly events: {
    readonly low: number;
    readonly high: number;
    readonly max: number;
    readonly oom: number;
    readonly oomKill: number;
  };
}

export interface SwapStats {
  readonly currentBytes: number;
  readonly peakBytes: number | undefined;
  readonly limitBytes: Limit;
}

export interface IoDeviceStats {
  readonly major: number;
  readonly minor: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readOps: number;
  readonly writeOps: number;
}

export interface PidsStats {
  readonly current: number;
  /** Linux 6.6. */
  readonly peak: number | undefined;
  readonly limit: Limit;
}

export interface HugetlbStats {
  readonly currentBytes: number;
  readonly limitBytes: Limit;
  /** How often the limit was hit. */
  readonly failures: number;
}

/** Pressure Stall Information: the share of time, in percent, in which some or all were waiting. */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine | undefined;
}

export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalMicros: number;
}

type Read = (file: string) => string | undefined;

/** Undefined when the cgroup is gone. cgroup-v2.rst, "Controllers"; accounting/psi.rst. */
export function readStats(directory: string): CgroupStats | undefined {
  const read: Read = (file) => readIfThere(`${directory}/${file}`);
  if (read("cgroup.events") === undefined) return undefined;
  return {
    cpu: readCpu(read),
    memory: readMemory(read, directory),
    swap: readSwap(read),
    io: readIo(read),
    pids: readPids(read),
    hugetlb: readHugetlb(read, directory),
    pressure: {
      cpu: readPressure(read, "cpu"),
      memory: readPressure(read, "memory"),
      io: readPressure(read, "io"),
    },
  };
}

function readCpu(read: Read): CpuStats | undefined {
  const text = read("cpu.stat");
  if (text === undefined) return undefined;
  const stat = parseFlatKeyed(text);
  const periods = stat.get("nr_periods");
  return {
    usageMicros: stat.get("usage_usec") ?? 0,
    userMicros: stat.get("user_usec") ?? 0,
    systemMicros: stat.get("system_usec") ?? 0,
    // The core counts the time; only the controller counts throttling.
    throttling:
      periods === undefined
        ? undefined
        : {
            periods,
            throttledPeriods: stat.get("nr_throttled") ?? 0,
            throttledMicros: stat.get("throttled_usec") ?? 0,
          },
  };
}

function readMemory(read: Read, directory: string): MemoryStats | undefined {
  const [current, max] = [read("memory.current"), read("memory.max")];
  if (current === undefined || max === undefined) return undefined;
  const stat = parseFlatKeyed(read("memory.stat") ?? "");
  const events = parseFlatKeyed(read("memory.events") ?? "");
  return {
    currentBytes: parseNumber(current.trim()),
    peakBytes: optionalNumber(read("memory.peak")),
    limitBytes: parseLimit(max),
    stat,
    cacheBytes: stat.get("file") ?? 0,
    events: {
      low: events.get("low") ?? 0,
      high: events.get("high") ?? 0,
      max: events.get("max") ?? 0,
      oom: events.get("oom") ?? 0,
      oomKill: readOomKills(directory) ?? 0,
    },
  };
}

function readSwap(read: Read): SwapStats | undefined {
  const [current, max] = [read("memory.swap.current"), read("memory.swap.max")];
  if (current === undefined || max === undefined) return undefined;
  return {
    currentBytes: parseNumber(current.trim()),
    peakBytes: optionalNumber(read("memory.swap.peak")),
    limitBytes: parseLimit(max),
  };
}

function readIo(read: Read): readonly IoDeviceStats[] | undefined {
  const text = read("io.stat");
  if (text === undefined) return undefined;
  return [...parseNestedKeyed(text)].flatMap(([device, values]) => {
    const [major, minor] = device.split(":").map(Number);
    const number = (key: string) => parseNumber(values.get(key) ?? "0");
    // Some kernels list a device that has counted nothing, without any key.
    if (major === undefined || minor === undefined || !values.has("rbytes")) return [];
    return [
      {
        major,
        minor,
        readBytes: number("rbytes"),
        writeBytes: number("wbytes"),
        readOps: number("rios"),
        writeOps: number("wios"),
      },
    ];
  });
}

function readPids(read: Read): PidsStats | undefined {
  const [current, max] = [read("pids.current"), read("pids.max")];
  if (current === undefined || max === undefined) return undefined;
  return {
    current: parseNumber(current.trim()),
    peak: optionalNumber(read("pids.peak")),
    limit: parseLimit(max),
  };
}

function readHugetlb(
  read: Read,
  directory: string,
): Readonly<Record<string, HugetlbStats>> | undefined {
  const sizes = readFileNames(directory).flatMap((file) => {
    const [, size] = /^hugetlb\.(\d+[KMG]B)\.current$/.exec(file) ?? [];
    return size === undefined ? [] : [size];
  });
  if (sizes.length === 0) return undefined;
  return Object.fromEntries(
    sizes.map((size) => [
      size,
      {
        currentBytes: parseNumber((read(`hugetlb.${size}.current`) ?? "0").trim()),
        limitBytes: parseLimit(read(`hugetlb.${size}.max`) ?? "max"),
        failures: parseFlatKeyed(read(`hugetlb.${size}.events`) ?? "").get("max") ?? 0,
      },
    ]),
  );
}

function readPressure(read: Read, resource: string): Pressure | undefined {
  const text = read(`${resource}.pressure`);
  if (text === undefined) return undefined;
  const lines = parseNestedKeyed(text);
  const line = (key: string): PressureLine | undefined => {
    const values = lines.get(key);
    if (!values) return undefined;
    const number = (name: string) => parseNumber(values.get(name) ?? "0");
    return {
      avg10: number("avg10"),
      avg60: number("avg60"),
      avg300: number("avg300"),
      totalMicros: number("total"),
    };
  };
  const some = line("some");
  return some && { some, full: line("full") };
}

function optionalNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseNumber(text.trim());
}
