/**
 * A request's limits as OCI resources. Pure.
 */
import { TsrunError } from "../../base/errors.ts";
import type { OciDeviceRule, OciMemory, OciResources } from "../../spec/index.ts";
import type { ContainerRequest, LimitsRequest } from "../request.ts";

/** podman's. A container that forks without end is stopped by it, not the machine. */
const DEFAULT_PIDS_LIMIT = 2048;
/** CFS bandwidth's usual period. Documentation/scheduler/sched-bwc.rst */
const CPU_PERIOD_MICROS = 100_000;
const UNLIMITED = -1;

export interface ResourceFacts {
  /** The controllers that a container's cgroup can have. */
  readonly controllers: ReadonlySet<string>;
  /** Whether the kernel counts swap for itself (memory.swap.max). */
  readonly swap: boolean;
}

export function composeResources(
  request: Pick<ContainerRequest, "limits" | "devices" | "deviceRules" | "privileged">,
  facts: ResourceFacts,
): OciResources {
  return {
    ...composeLimits(request.limits ?? {}, facts),
    devices: composeDeviceRules(request),
  };
}

/** Also what `update` applies: then `limits` are the changed ones merged into the old. */
export function composeLimits(limits: LimitsRequest, facts: ResourceFacts): OciResources {
  const memory = composeMemory(limits, facts);
  const cpu = {
    ...(limits.cpus === undefined ? {} : composeCpus(limits.cpus)),
    ...(limits.cpusetCpus === undefined ? {} : { cpus: limits.cpusetCpus }),
    ...(limits.cpusetMems === undefined ? {} : { mems: limits.cpusetMems }),
  };
  const blockIO = composeThrottles(limits);
  const unified = composeUnified(limits);
  const pids = composePids(limits, facts);
  return {
    ...(isEmpty(memory) ? {} : { memory }),
    ...(isEmpty(cpu) ? {} : { cpu }),
    ...(isEmpty(blockIO) ? {} : { blockIO }),
    ...(isEmpty(unified) ? {} : { unified }),
    ...(pids ? { pids } : {}),
  };
}

/** Without a word on swap, a container gets as much of it as memory: podman's rule. */
function composeMemory(limits: LimitsRequest, { swap: countsSwap }: ResourceFacts): OciMemory {
  const { memoryBytes: limit, memorySwapBytes, memoryReservationBytes: reservation } = limits;
  if (memorySwapBytes !== undefined && memorySwapBytes !== UNLIMITED) {
    if (limit === undefined || limit === UNLIMITED) {
      throw new TsrunError("INVALID_ARGUMENT", "a limit of memory and swap needs one of memory", {
        hint: "Give --memory too: --memory-swap is the sum of both.",
        origin: "limits.memorySwapBytes",
      });
    }
    if (memorySwapBytes < limit) {
      throw new TsrunError(
        "INVALID_ARGUMENT",
        `the limit of memory and swap (${memorySwapBytes}) is below that of memory (${limit})`,
        { hint: "--memory-swap is the sum of both.", origin: "limits.memorySwapBytes" },
      );
    }
  }
  const doubled = limit !== undefined && limit !== UNLIMITED && countsSwap ? 2 * limit : undefined;
  const swap = memorySwapBytes ?? doubled;
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
    ...(reservation === undefined ? {} : { reservation }),
  };
}

function composeCpus(cpus: number): { quota: number; period: number } {
  if (cpus <= 0) return { quota: UNLIMITED, period: CPU_PERIOD_MICROS };
  return { quota: Math.round(cpus * CPU_PERIOD_MICROS), period: CPU_PERIOD_MICROS };
}

function composePids({ pidsLimit }: LimitsRequest, { controllers }: ResourceFacts) {
  if (pidsLimit !== undefined) return { limit: pidsLimit <= 0 ? UNLIMITED : pidsLimit };
  return controllers.has("pids") ? { limit: DEFAULT_PIDS_LIMIT } : undefined;
}

function composeThrottles(limits: LimitsRequest): NonNullable<OciResources["blockIO"]> {
  const { deviceReadBps, deviceWriteBps, deviceReadIops, deviceWriteIops } = limits;
  return {
    ...(deviceReadBps ? { throttleReadBpsDevice: deviceReadBps } : {}),
    ...(deviceWriteBps ? { throttleWriteBpsDevice: deviceWriteBps } : {}),
    ...(deviceReadIops ? { throttleReadIOPSDevice: deviceReadIops } : {}),
    ...(deviceWriteIops ? { throttleWriteIOPSDevice: deviceWriteIops } : {}),
  };
}

/** OCI has only cgroup v1's weights and no memory.high: these go to cgroup v2's files as they are. */
function composeUnified(limits: LimitsRequest): Record<string, string> {
  const { memoryHighBytes, cpuWeight, ioWeight } = limits;
  return {
    ...(memoryHighBytes === undefined
      ? {}
      : { "memory.high": memoryHighBytes === UNLIMITED ? "max" : String(memoryHighBytes) }),
    ...(cpuWeight === undefined ? {} : { "cpu.weight": String(cpuWeight) }),
    ...(ioWeight === undefined ? {} : { "io.weight": `default ${ioWeight}` }),
  };
}

/** Nothing but what the runtime allows every container (null, zero, tty …), then what is asked for. */
function composeDeviceRules(
  request: Pick<ContainerRequest, "devices" | "deviceRules" | "privileged">,
): OciDeviceRule[] {
  if (request.privileged) return [{ allow: true, access: "rwm" }];
  const rules: OciDeviceRule[] = [{ allow: false, access: "rwm" }];
  for (const { node, access } of request.devices ?? []) {
    if (!node || node.type === "p") continue;
    const type = node.type === "b" ? "b" : "c";
    const { major, minor } = node;
    rules.push({
      allow: true,
      type,
      access,
      ...(major === undefined ? {} : { major }),
      ...(minor === undefined ? {} : { minor }),
    });
  }
  return [...rules, ...(request.deviceRules ?? [])];
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
