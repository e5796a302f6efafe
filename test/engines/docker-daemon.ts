/** Docker's daemon with tsrun-oci as its default runtime, on a private host. */
import { writeFileSync } from "node:fs";
import { Client, type PrivateHost, RUNTIME, unavailable } from "./private-host.ts";

export const dockerUnavailable = () =>
  unavailable("/usr/sbin/dockerd", "/usr/bin/containerd", "/usr/bin/docker");

/** Debian 13's, of the suite engines13. */
const inTree = process.env["TSRUN_ENGINES_ROOT"] !== undefined;

/** The daemon's client, when it serves. */
export async function startDocker(host: PrivateHost): Promise<Client> {
  const config = host.file("daemon.json");
  const socket = host.file("docker.sock");
  writeFileSync(
    config,
    JSON.stringify({
      ...{ "data-root": host.file("data"), "exec-root": host.file("exec") },
      ...{ pidfile: host.file("pid"), hosts: [`unix://${socket}`] },
      ...{ "storage-driver": "vfs", bip: "172.31.255.1/24" },
      // What a root without CAP_SYS_RESOURCE may set.
      // Docker 26 has none, and needs none.
      ...(inTree ? {} : { "oom-score-adjust": 0 }),
      "default-ulimits": { nofile: { Name: "nofile", Soft: 20_000, Hard: 20_000 } },
      "default-runtime": "tsrun",
      runtimes: { tsrun: { path: RUNTIME } },
    }),
  );
  await host.daemon(["dockerd", "--config-file", config], socket);
  return new Client(host, ["docker", "--host", `unix://${socket}`]);
}
