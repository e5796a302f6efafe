/**
 * An image as a row of image ls, and everything about it, under podman's names.
 */
import type { ImageProcessConfig, StoredImage } from "../../images/index.ts";
import { goTime, humanAgo, humanSize, shortId } from "../format/human.ts";
import { toMap, type ValueRecord } from "../format/value.ts";
import type { RowOptions } from "./container-row.ts";

export const IMAGE_TABLE = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

export const IMAGE_HEADINGS: Readonly<Record<string, string>> = {
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
};

/** One row for each name of the image; an image without names has one with <none>. */
export function imageRows(
  image: StoredImage,
  { now, truncate, size }: RowOptions & { readonly size: number },
): ValueRecord[] {
  const names = image.names.length > 0 ? image.names : ["<none>:<none>"];
  const created = new Date(image.config.created ?? 0);
  return names.map((name) => {
    const at = name.lastIndexOf(":");
    return {
      Repository: name.slice(0, at),
      Tag: name.slice(at + 1),
      ID: truncate ? shortId(image.id) : `sha256:${image.id}`,
      Digest: image.manifestDigest,
      CreatedSince: humanAgo(created, now),
      CreatedAt: goTime(created),
      Created: Math.floor(created.getTime() / 1000),
      Size: humanSize(size, " "),
      SizeBytes: size,
      Names: image.names,
      Labels: toMap(image.config.config?.Labels),
    };
  });
}

/** `size`: of its unpacked archives. */
export function imageInspectView(image: StoredImage, size: number): ValueRecord {
  const { config } = image;
  const run = config.config ?? {};
  return {
    Id: image.id,
    Digest: image.manifestDigest,
    RepoTags: image.names,
    RepoDigests: image.sources,
    Created: config.created ?? "",
    Author: config.author ?? "",
    Architecture: config.architecture,
    Os: config.os,
    Size: size,
    Labels: toMap(run.Labels),
    Config: {
      User: run.User ?? "",
      Env: run.Env ?? [],
      Entrypoint: run.Entrypoint ?? [],
      Cmd: run.Cmd ?? [],
      WorkingDir: run.WorkingDir ?? "",
      StopSignal: run.StopSignal ?? "",
      Labels: toMap(run.Labels),
      ...declared(run),
    },
    Annotations: toMap(image.manifest.annotations),
    RootFS: { Type: config.rootfs.type, Layers: config.rootfs.diff_ids },
    History: (config.history ?? []).map(({ created = "", created_by = "", ...step }) => ({
      ...{ created, created_by, comment: step.comment ?? "" },
      ...(step.empty_layer ? { empty_layer: true } : {}),
    })),
  };
}

/** What few images say; only what is there is shown, as in the configuration itself. */
function declared(run: ImageProcessConfig): ValueRecord {
  const { ExposedPorts, Volumes, Healthcheck, Shell, OnBuild } = run;
  return {
    ...(ExposedPorts ? { ExposedPorts: new Map(Object.entries(ExposedPorts)) } : {}),
    ...(Volumes ? { Volumes: new Map(Object.entries(Volumes)) } : {}),
    ...(Healthcheck ? { Healthcheck } : {}),
    ...(Shell ? { Shell } : {}),
    ...(OnBuild ? { OnBuild } : {}),
  };
}
