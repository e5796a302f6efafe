/**
 * Options that users of podman or docker type after `run`, and tsrun does not have: what to do instead.
 */
const PORTS =
  "Published ports and networks with addresses are not there yet: use --network host, or ns:PATH.";
const CPUS = "Use --cpus, the most cpu time in cores.";

const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["-p", PORTS],
  ["--publish", PORTS],
  ["-P", PORTS],
  ["--publish-all", PORTS],
  ["--expose", PORTS],
  ["--ip", PORTS],
  ["--ip6", PORTS],
  ["--mac-address", PORTS],
  ["--network-alias", PORTS],
  ["--link", PORTS],
  ["--restart", "Restart policies are not there yet: a service manager can run `tsrun run`."],
  ["-c", "cgroup v2 has weights: --cpu-weight 100 is what 1024 shares were."],
  ["--cpu-shares", "cgroup v2 has weights: --cpu-weight 100 is what 1024 shares were."],
  ["--cpu-period", CPUS],
  ["--cpu-quota", CPUS],
  ["--blkio-weight", "cgroup v2 calls it --io-weight."],
  ["--memory-swappiness", "cgroup v2 has no such setting: use --memory-swap."],
  ["--kernel-memory", "cgroup v2 counts the kernel's memory in --memory."],
  [
    "--volumes-from",
    "Name the same volumes with --volume: `tsrun inspect` lists a container's Mounts.",
  ],
  ["--volume-driver", "There is one driver, local: `tsrun volume create --opt` has its options."],
  ["--log-driver", "tsrun keeps the log itself: --log-opt rotates it, `tsrun logs` reads it."],
  ["--gpus", "Give it the devices themselves with --device."],
  ["--pod", "Containers share namespaces by --network, --pid and --ipc container:NAME."],
  ["--health-cmd", "Health checks are not there yet."],
]);

/** A hint, for `run`, `create` and `plan`. */
export function insteadOf(option: string): string | undefined {
  return INSTEAD.get(option);
}
