/**
 * OCI's resources as values for cgroup v2's files, in the order in which they are written.
 */
import type { OciResources } from "../spec/index.ts";
import { type CpusetFacts, planCpu } from "./plan-cpu.ts";
import { planIo } from "./plan-io.ts";
import { planMemory } from "./plan-memory.ts";
import { planUnified } from "./plan-unified.ts";
import {
  type CgroupWrite,
  type CurrentLimits,
  invalidLimit,
  limitText,
  onlyInV1,
} from "./write.ts";

const ORIGIN = "linux.resources";

/** `unified` comes last: it overrides. Throws INVALID_SPEC or UNSUPPORTED, naming the field. */
export function planValues(
  resources: OciResources,
  facts: CpusetFacts = {},
  current: CurrentLimits = {},
): readonly CgroupWrite[] {
  refuseNetwork(resources.network);
  return [
    ...planMemory(resources.memory ?? {}, current),
    ...planPids(resources.pids),
    ...planCpu(resources.cpu ?? {}, facts, current),
    ...planIo(resources.blockIO ?? {}),
    ...planHugetlb(resources.hugepageLimits ?? []),
    ...planRdma(resources.rdma ?? {}),
    ...planUnified(resources.unified ?? {}),
  ];
}

function planPids(pids: OciResources["pids"]): readonly CgroupWrite[] {
  if (!pids?.limit) return [];
  const origin = `${ORIGIN}.pids.limit`;
  return [{ file: "pids.max", value: limitText(pids.limit, origin), controller: "pids", origin }];
}

function planHugetlb(limits: NonNullable<OciResources["hugepageLimits"]>): readonly CgroupWrite[] {
  return limits.flatMap(({ pageSize, limit }, index): CgroupWrite[] => {
    const origin = `${ORIGIN}.hugepageLimits[${index}]`;
    if (!/^[1-9]\d*[KMG]B$/.test(pageSize)) {
      throw invalidLimit(origin, `"${pageSize}" is no page size like "2MB"`);
    }
    const place = { controller: "hugetlb", origin, value: limitText(limit, origin) } as const;
    return [
      {
        ...place,
        file: `hugetlb.${pageSize}.max`,
        hint: "ENOENT: the sizes that this machine has are in /sys/kernel/mm/hugepages.",
      },
      // Reservations are counted apart since Linux 5.7: without this one, mmap passes and the touch is SIGBUS.
      { ...place, file: `hugetlb.${pageSize}.rsvd.max`, tolerate: ["ENOENT"] },
    ];
  });
}

function planRdma(rdma: NonNullable<OciResources["rdma"]>): readonly CgroupWrite[] {
  return Object.entries(rdma).flatMap(([device, { hcaHandles, hcaObjects }]): CgroupWrite[] => {
    const origin = `${ORIGIN}.rdma["${device}"]`;
    if (!/^[^\s/]+$/.test(device)) throw invalidLimit(origin, `"${device}" is no device name`);
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${limitText(hcaHandles, origin)}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${limitText(hcaObjects, origin)}`]),
    ];
    if (limits.length === 0) throw invalidLimit(origin, "it limits neither handles nor objects");
    const value = `${device} ${limits.join(" ")}`;
    return [{ file: "rdma.max", value, controller: "rdma", origin }];
  });
}

function refuseNetwork(network: OciResources["network"]): void {
  const hint = "Classify the container's packets with nftables and its cgroup (socket cgroupv2).";
  if (network?.classID) throw onlyInV1(`${ORIGIN}.network.classID`, hint);
  if (network?.priorities?.length) throw onlyInV1(`${ORIGIN}.network.priorities`, hint);
}
