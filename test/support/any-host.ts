/** A host that exists only as facts, and the plans of containers on it. */
import type { LaunchPlan } from "../../src/plan/index.ts";
import { idMapsNeeded } from "../../src/rootfs/index.ts";
import { type HostFacts, planContainer } from "../../src/runtime/index.ts";
import { type OciSpec, parseSpec } from "../../src/spec/index.ts";

const TYPES = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] as const;

/** A host that has everything, so that as much as possible is planned. */
function factsFor(spec: OciSpec): HostFacts {
  const sources = spec.mounts.flatMap(({ source }) => (source === undefined ? [] : [source]));
  const devices = spec.linux.devices ?? [];
  const paths = spec.linux.namespaces.flatMap(({ path }) => (path === undefined ? [] : [path]));
  const level = {
    path: "/",
    available: ["cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma"],
    enabled: [],
    type: undefined,
    occupied: false,
  } as const;
  return {
    namespaces: {
      own: Object.fromEntries(TYPES.map((type) => [type, `4:${type}`])) as never,
      files: new Map(paths.map((path) => [path, { kind: "namespace", id: "4:1" as never }])),
      mayMapAnyId: true,
      netDevices: new Map(Object.keys(spec.linux.netDevices ?? {}).map((name) => [name, []])),
    },
    cgroup: {
      mountPoint: "/sys/fs/cgroup",
      ownPath: "/",
      path: "/boxes/one",
      levels: [level],
      writable: true,
      cpus: "0-3",
      mems: "0",
    },
    rootfs: {
      mountSetattr: true,
      overlayLowerAppend: true,
      nullDeviceIsGenuine: true,
      mayMakeDevices: true,
      cgroup2MountPoint: "/sys/fs/cgroup",
      selinux: true,
      sources: new Map(sources.map((path) => [path, "directory"])),
      deviceNodes: new Map(
        [...devices.map(({ path }) => path), ...DEFAULT_NODES].map((path) => [path, path]),
      ),
    },
    capabilities: { held: 2n ** 41n - 1n, last: 40 },
  };
}

const DEFAULT_NODES = ["null", "zero", "full", "random", "urandom", "tty"].map(
  (name) => `/dev/${name}`,
);

/** The plan of a config.json on that host; nothing touches the kernel. */
export function planOnAnyHost(json: string): LaunchPlan {
  const { value: spec } = parseSpec(json, { bundle: "/bundle" });
  const root = { kind: "bind", path: spec.root.path } as const;
  const needed = [...idMapsNeeded(spec, root).keys()];
  const copied = [...spec.mounts.entries()].filter(([, { options = [] }]) =>
    options.includes("tmpcopyup"),
  );
  return planContainer(
    spec,
    {
      ...{ id: "box", bundle: "/bundle", root, mountPoint: "/run/box" },
      ...{ hold: true, init: false, daemon: false },
      prepared: {
        inherit: needed.map((_, index) => index + 10),
        idMapSlots: new Map(needed.map((key, index) => [key, index as never])),
        preparedMounts: new Map(copied.map(([index]) => [index, "plain"])),
        seccomp: { filter: new Uint8Array(8), flags: 0 },
      },
    },
    factsFor(spec),
  );
}
