/** podman and its kin on a private host, with configuration and storage of their own. */
import { writeFileSync } from "node:fs";
import { Client, type PrivateHost, RUNTIME } from "./private-host.ts";

export interface PodmanSettings {
  readonly cgroupManager?: "cgroupfs" | "systemd";
  readonly storage?: "vfs" | "overlay";
  /** Whether podman gives each container its own limit of processes, which needs the pids controller. */
  readonly limitsPids?: boolean;
  /** Whether tsrun-oci (or what $RUNTIME names) is the default; else each command says --runtime. */
  readonly ownRuntime?: boolean;
}

/** The client `program` ("podman" or "buildah"); those of one host share their containers and images. */
export function podmanClient(
  host: PrivateHost,
  settings: PodmanSettings = {},
): (program: string) => Client {
  const conf = host.file("containers.conf");
  writeFileSync(conf, composeConfiguration(host, settings));
  const storage = host.file("storage.conf");
  writeFileSync(
    storage,
    `[storage]
driver = "${settings.storage ?? "vfs"}"
runroot = "${host.file("run")}"
graphroot = "${host.file("root")}"
`,
  );
  const own = [`CONTAINERS_CONF=${conf}`, `CONTAINERS_STORAGE_CONF=${storage}`];
  const env = ["env", ...own, `TMPDIR=${host.base}`];
  return (program) => new Client(host, [...env, program]);
}

/** The ulimits are those that a root without CAP_SYS_RESOURCE may set. */
function composeConfiguration(
  host: PrivateHost,
  { cgroupManager = "cgroupfs", limitsPids = false, ownRuntime = true }: PodmanSettings,
): string {
  return `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
${limitsPids ? "" : "pids_limit = 0"}
log_driver = "k8s-file"
netns = "none"
[network]
network_config_dir = "${host.file("networks")}"
[engine]
cgroup_manager = "${cgroupManager}"
events_logger = "file"
${ownRuntime ? OWN_RUNTIME : ""}`;
}

const OWN_RUNTIME = `runtime = "tsrun-oci"
runtime_supports_json = ["tsrun-oci"]
[engine.runtimes]
tsrun-oci = ["${RUNTIME}"]
`;
