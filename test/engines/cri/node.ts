/**
 * A Kubernetes node but for its kubelet: containerd with its CRI plugin, tsrun-oci as the runtime of the
 * RuntimeClass handler "tsrun" as docs/kubernetes.md configures it, and a bridge for pods.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { importableImages } from "../image.ts";
import { Client, PrivateHost, RUNTIME, unavailable } from "../private-host.ts";
import { Kubelet } from "./kubelet.ts";

/** The RuntimeClass's handler. */
export const HANDLER = "tsrun";
export const IMAGE = "localhost/busybox:test";
const PAUSE_IMAGE = "localhost/pause:test";
const CNI_PLUGINS = "/usr/lib/cni";
const STREAM_PORT = 10_010;
const MANUAL = join(import.meta.dirname, "../../../docs/kubernetes.md");

export function nodeUnavailable(): string | undefined {
  return unavailable(
    ...["/usr/bin/containerd", "/usr/bin/ctr", "/usr/bin/containerd-shim-runc-v2"],
    ...["bridge", "host-local", "loopback"].map((plugin) => join(CNI_PLUGINS, plugin)),
  );
}

export class CriNode implements AsyncDisposable {
  readonly host: PrivateHost;
  readonly kubelet: Kubelet;

  private constructor(host: PrivateHost, kubelet: Kubelet) {
    this.host = host;
    this.kubelet = kubelet;
  }

  /** `limits`: containers get the resources that the kubelet asks for, which takes cgroup v2's controllers. */
  static async open({ limits }: { limits: boolean }): Promise<CriNode> {
    const host = await PrivateHost.open();
    try {
      const socket = host.file("containerd.sock");
      writeFileSync(host.file("config.toml"), configuration(host, socket, limits));
      mkdirSync(host.file("cni"));
      writeFileSync(host.file("cni/10-bridge.conflist"), podNetwork(host));
      await host.daemon(["containerd", "--config", host.file("config.toml")], socket);
      const ctr = new Client(host, ["ctr", "--address", socket, "--namespace=k8s.io"]);
      const images = await importableImages(host, {
        [IMAGE]: { Cmd: ["sh"] },
        [PAUSE_IMAGE]: { Entrypoint: ["sleep", "infinity"] },
      });
      await ctr.ok("images", "import", "--snapshotter=native", images);
      const streams = host.file("streams.sock");
      const relay = join(import.meta.dirname, "stream-relay.ts");
      await host.daemon([process.execPath, relay, streams, String(STREAM_PORT)], streams);
      return new CriNode(host, new Kubelet(socket, streams));
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The ids of tsrun-oci's own records: what it runs for containerd. */
  async runtimeIds(): Promise<string[]> {
    const runtime = new Client(this.host, [RUNTIME, "--root=/run/containerd/runc/k8s.io"]);
    return (await runtime.ok("list", "--quiet")).split("\n").filter((id) => id !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kubelet[Symbol.dispose]();
    await this.host[Symbol.asyncDispose]();
  }
}

/** The manual's configuration, between what is this node's own. */
function configuration(host: PrivateHost, socket: string, limits: boolean): string {
  const [, documented = ""] =
    /```toml\nversion = 2\n(.*?)```/s.exec(readFileSync(MANUAL, "utf8")) ?? [];
  const runtime = documented.replace("/usr/local/bin/tsrun-oci", RUNTIME);
  if (!runtime.includes(RUNTIME)) throw new Error(`${MANUAL} does not name tsrun-oci any more`);
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${host.file("root")}"
state = "${host.file("state")}"
disabled_plugins = ["io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "${socket}"
[ttrpc]
address = "${socket}.ttrpc"
${runtime}
[${cri}]
sandbox_image = "${PAUSE_IMAGE}"
disable_apparmor = true
# A root without CAP_SYS_RESOURCE may not lower it.
restrict_oom_score_adj = true
disable_cgroup = ${!limits}
stream_server_address = "127.0.0.1"
stream_server_port = "${STREAM_PORT}"
[${cri}.cni]
bin_dir = "${CNI_PLUGINS}"
conf_dir = "${host.file("cni")}"
[${cri}.containerd]
snapshotter = "native"
`;
}

function podNetwork(host: PrivateHost): string {
  const ipam = {
    ...{ type: "host-local", dataDir: host.file("ipam") },
    ranges: [[{ subnet: "10.88.0.0/24" }]],
  };
  return JSON.stringify({
    ...{ cniVersion: "0.4.0", name: "pods" },
    plugins: [{ type: "bridge", bridge: "pods0", isGateway: true, ipam }],
  });
}
