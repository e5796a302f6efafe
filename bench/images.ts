/**
 * A Debian with python3 from a registry on the loopback, unpacked: tsrun beside podman, skopeo with umoci, and curl
 * and GNU tar, which do nothing else. Then whether the number of an image's layers is felt at a start.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type * as Library from "../src/index.ts";
import { unavailable } from "../test/engines/private-host.ts";
import { DockerRegistry, dockerRegistryUnavailable } from "../test/support/docker-registry.ts";
import { debianRoot, debianRootUnavailable } from "../test/support/roots.ts";
import { type Contender, formatMs, formatTimings, measure } from "./measure.ts";
import { TSRUN, type Workspace } from "./workspace.ts";

const LAYERS = 20;
const MORE_MS_AT_MOST = 1;
const ACCESS = { insecure: true } as const;

export async function measureImages(
  library: typeof Library,
  workspace: Workspace,
  rounds: number,
): Promise<string> {
  const pulls = await measurePulls(library, workspace, rounds);
  return `${pulls}\n${await measureLayers(library, workspace, 10 * rounds)}`;
}

/** Into an OCI layout, and that into a root file system. */
const SKOPEO_UMOCI =
  'skopeo copy -q --src-tls-verify=false "$0" "oci:$1:debian" && umoci unpack --image "$1:debian" "$2"';

async function measurePulls(
  { images }: typeof Library,
  { folder }: Workspace,
  rounds: number,
): Promise<string> {
  const missing = unavailable(
    ...["/usr/bin/podman", "/usr/bin/skopeo", "/usr/bin/umoci", "/usr/bin/curl"],
  );
  const reason = dockerRegistryUnavailable() ?? debianRootUnavailable() ?? missing;
  if (reason !== undefined) return `\n## Pull and unpack\n\n  skipped: ${reason}`;
  await using registry = await DockerRegistry.open();
  const name = `${registry.host}/debian:1`;
  const source = { root: join(folder, "debian") };
  await images.import(await debianRoot(), "debian", { ...source, compression: "gzip" });
  await images.push("debian", name, { ...source, ...ACCESS });
  const layer = images.inspect("debian", source).manifest.layers[0];
  if (layer === undefined) throw new Error("the Debian image has no layer");

  const pulled = join(folder, "pulled");
  mkdirSync(pulled);
  let count = 0;
  const contender = (title: string, pull: (place: string) => Promise<unknown>): Contender => ({
    name: title,
    run: async () => {
      count += 1;
      const place = join(pulled, String(count));
      mkdirSync(place);
      await pull(place);
    },
    after: async () => {
      // podman mounts its storage on itself.
      await execa("umount", [join(pulled, String(count), "overlay")], { reject: false });
      // Nobody is to write to the disk what another has left. Nothing is removed meanwhile: an ext4
      // without a journal keeps the inodes of removed files back for minutes, and looks at each of them
      // for every file that is made, which took twice as long as all the rest.
      await execa("sync");
    },
  });
  const storageOf = (place: string) => [
    ...["--root", place, "--runroot", join(folder, "run"), "--storage-driver=overlay"],
  ];
  const blob = `http://${registry.host}/v2/debian/blobs/${layer.digest}`;
  const timings = await measure(
    [
      contender("tsrun: images.pull()", (place) => images.pull(name, { root: place, ...ACCESS })),
      contender("podman pull", (place) =>
        execa("podman", [...storageOf(place), "pull", "-q", "--tls-verify=false", name]),
      ),
      contender("skopeo, umoci", (place) =>
        execa("sh", [
          "-ec",
          SKOPEO_UMOCI,
          `docker://${name}`,
          join(place, "image"),
          join(place, "bundle"),
        ]),
      ),
      contender("curl | GNU tar", (place) =>
        execa("sh", ["-c", 'curl -sf "$0" | tar -xz --xattrs -C "$1"', blob, place]),
      ),
    ],
    { rounds, warmup: 1 },
  );
  rmSync(pulled, { recursive: true });
  const title = `Pull and unpack a Debian: ${Math.round(layer.size / 1e6)} MB of gzip`;
  return formatTimings(title, timings, [
    { peer: "podman pull", atMost: 0.7 },
    { peer: "curl | GNU tar", atMost: 1 },
  ]);
}

async function measureLayers(
  { images, run, create }: typeof Library,
  { image, folder }: Workspace,
  rounds: number,
): Promise<string> {
  const layered = "bench-layers";
  await images.tag(image, layered);
  for (let layer = 1; layer < LAYERS; layer += 1) {
    const command = ["/bin/sh", "-c", `echo ${layer} >/layer-${layer}`];
    await using container = await create({ image: layered, command });
    await container.start();
    await container.wait();
    await execa(TSRUN, ["commit", "-q", container.id, layered], { cwd: folder });
  }
  const contender = (name: string, from: string): Contender => ({
    name,
    run: async () => {
      await run({ image: from, command: ["/bin/true"] });
    },
  });
  const timings = await measure(
    [contender(`run() of ${LAYERS} layers`, layered), contender("run() of one layer", image)],
    { rounds, warmup: rounds },
  );
  const more = (timings[0]?.median ?? Number.NaN) - (timings[1]?.median ?? Number.NaN);
  const verdict = more <= MORE_MS_AT_MOST ? "holds" : "MISSED";
  return [
    formatTimings("An image of many layers", timings, []),
    `  more: ${formatMs(more)}   (target at most ${MORE_MS_AT_MOST} ms: ${verdict})`,
  ].join("\n");
}
