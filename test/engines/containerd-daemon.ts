/** containerd without its CRI plugin, on a private host. */
import { writeFileSync } from "node:fs";
import { importableImage } from "./image.ts";
import { Client, type PrivateHost } from "./private-host.ts";

/** ctr, when the daemon serves and has this image. */
export async function startContainerd(host: PrivateHost, image: string): Promise<Client> {
  const socket = host.file("containerd.sock");
  const config = host.file("config.toml");
  writeFileSync(
    config,
    `version = 2
root = "${host.file("root")}"
state = "${host.file("state")}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "${socket}"
[ttrpc]
address = "${socket}.ttrpc"
`,
  );
  await host.daemon(["containerd", "--config", config], socket);
  const ctr = new Client(host, ["ctr", "--address", socket]);
  await ctr.ok("image", "import", "--snapshotter=native", await importableImage(host, image));
  return ctr;
}
