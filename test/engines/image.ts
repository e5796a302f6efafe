/** busybox's root as an archive that containerd and Docker import, made without their help. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { runProgram } from "../support/cli.ts";
import type { PrivateHost } from "./private-host.ts";

/** "docker save"'s form: a manifest, a configuration and one layer. */
export async function importableImage(host: PrivateHost, name: string): Promise<string> {
  const folder = host.file("image");
  mkdirSync(folder);
  renameSync(await host.rootArchive(), `${folder}/layer.tar`);
  const digest = createHash("sha256")
    .update(readFileSync(`${folder}/layer.tar`))
    .digest("hex");
  const config = {
    ...{ architecture: process.arch === "arm64" ? "arm64" : "amd64", os: "linux" },
    config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  };
  writeFileSync(`${folder}/config.json`, JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }];
  writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest));
  const archive = host.file("image.tar");
  const files = ["manifest.json", "config.json", "layer.tar"];
  const { status, stderr } = await runProgram("tar", ["-C", folder, "-cf", archive, ...files]);
  if (status !== 0) throw new Error(stderr);
  return archive;
}
