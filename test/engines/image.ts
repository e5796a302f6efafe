/** busybox's root as images in an archive that containerd and Docker import, made without their help. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { runProgram } from "../support/cli.ts";
import type { PrivateHost } from "./private-host.ts";

/** What an image's configuration says to run. */
export interface ImageProgram {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
}

/** "docker save"'s form: a manifest, the images' configurations and the one layer that they share. */
export async function importableImages(
  host: PrivateHost,
  images: Readonly<Record<string, ImageProgram>>,
): Promise<string> {
  const folder = host.file("image");
  mkdirSync(folder);
  renameSync(await host.rootArchive(), `${folder}/layer.tar`);
  const digest = createHash("sha256")
    .update(readFileSync(`${folder}/layer.tar`))
    .digest("hex");
  const manifest = Object.entries(images).map(([name, program], index) => {
    const config = {
      ...{ architecture: process.arch === "arm64" ? "arm64" : "amd64", os: "linux" },
      config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], ...program },
      rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
    };
    writeFileSync(`${folder}/config-${index}.json`, JSON.stringify(config));
    return { Config: `config-${index}.json`, RepoTags: [name], Layers: ["layer.tar"] };
  });
  writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest));
  const archive = host.file("image.tar");
  const files = ["manifest.json", ...manifest.map(({ Config }) => Config), "layer.tar"];
  const { status, stderr } = await runProgram("tar", ["-C", folder, "-cf", archive, ...files]);
  if (status !== 0) throw new Error(stderr);
  return archive;
}

/** One image, in which a shell is what runs. */
export function importableImage(host: PrivateHost, name: string): Promise<string> {
  return importableImages(host, { [name]: { Cmd: ["sh"] } });
}
