/**
 * What planning a launch needs to know of the host, read in one place.
 */
import {
  type CgroupFacts,
  probeCgroups,
  type RdtFacts,
  rdtGroup,
  readRdtFacts,
} from "../cgroups/index.ts";
import { type NamespaceFacts, readNamespaceFacts } from "../namespaces/index.ts";
import { type RootfsFacts, readRootfsFacts } from "../rootfs/index.ts";
import { type CapabilityFacts, readCapabilityFacts } from "../security/index.ts";
import type { OciSpec } from "../spec/index.ts";

export interface HostFacts {
  readonly namespaces: NamespaceFacts;
  readonly cgroup: CgroupFacts;
  readonly rootfs: RootfsFacts;
  readonly capabilities: CapabilityFacts;
  /** Only for specifications with linux.intelRdt. */
  readonly rdt?: RdtFacts;
}

let capabilities: CapabilityFacts | undefined;

/** Only looks; `id` names the container's resctrl group. Throws CGROUP_UNAVAILABLE where cgroup v2 is not mounted. */
export function probeHost(spec: OciSpec, id = ""): HostFacts {
  const { linux } = spec;
  capabilities ??= readCapabilityFacts(); // of this process, which gives none of them up
  return {
    namespaces: readNamespaceFacts(linux.namespaces, Object.keys(linux.netDevices ?? {})),
    cgroup: probeCgroups(linux.cgroupsPath ?? "/"),
    rootfs: readRootfsFacts(spec),
    capabilities,
    ...(linux.intelRdt ? { rdt: readRdtFacts(rdtGroup(linux.intelRdt, id)) } : {}),
  };
}
