/**
 * The configuration of an image that stands on another: image-spec config.md. Pure.
 */
import {
  type Descriptor,
  hostArchitecture,
  type ImageConfig,
  type ImageProcessConfig,
  MEDIA_TYPES,
} from "./config.ts";

type History = NonNullable<ImageConfig["history"]>;

/** What the history says of the new part. */
export interface ImageStep {
  /** RFC 3339; now without it. */
  readonly created?: string;
  readonly author?: string;
  /** The command, as `image history` shows it. */
  readonly createdBy?: string;
  readonly comment?: string;
}

export interface NewConfig {
  readonly base?: Pick<ImageSource, "config">;
  readonly like?: Pick<ImageSource, "config">;
  readonly config: ImageProcessConfig;
  readonly step: ImageStep;
  /** Of the new layers, the lowest first. */
  readonly diffIds: readonly string[];
}

interface ImageSource {
  readonly config: ImageConfig;
}

export function composeCommittedConfig({
  base,
  like = base,
  config,
  step,
  diffIds,
}: NewConfig): ImageConfig {
  const { created = new Date().toISOString(), author } = step;
  return {
    ...platformOf(like?.config),
    created,
    ...(author === undefined ? {} : { author }),
    config,
    rootfs: {
      type: "layers",
      diff_ids: [...(base?.config.rootfs.diff_ids ?? []), ...diffIds],
    },
    history: [...historyOf(base?.config), ...describeStep({ ...step, created }, diffIds.length)],
  };
}

/** One entry for each layer, the last of which says all; one for a change of the configuration alone. */
function describeStep(
  { created, author, createdBy, comment }: ImageStep & { readonly created: string },
  layers: number,
): History {
  const made = { created, ...(createdBy === undefined ? {} : { created_by: createdBy }) };
  const last = {
    ...made,
    ...(author === undefined ? {} : { author }),
    ...(comment === undefined ? {} : { comment }),
    ...(layers === 0 ? { empty_layer: true } : {}),
  };
  return [...Array.from({ length: Math.max(0, layers - 1) }, () => made), last];
}

/** Without docker's own fields, which describe the container that the base was made in. */
function platformOf(
  config: ImageConfig | undefined,
): Pick<ImageConfig, "architecture" | "os" | "variant" | "author"> {
  if (!config) return { architecture: hostArchitecture(), os: "linux" };
  const { architecture, os, variant, author } = config;
  return {
    ...{ architecture, os },
    ...(variant === undefined ? {} : { variant }),
    ...(author === undefined ? {} : { author }),
  };
}

/** Tools count its entries: one for each layer, or none at all. */
function historyOf(config: ImageConfig | undefined): History {
  if (!config) return [];
  const history = config.history ?? [];
  const described = history.filter(({ empty_layer: isEmpty }) => isEmpty !== true).length;
  const missing = config.rootfs.diff_ids.length - described;
  if (missing <= 0) return history;
  const unknown = { ...(config.created === undefined ? {} : { created: config.created }) };
  return [...Array.from({ length: missing }, () => unknown), ...history];
}

const OCI_LAYER_TYPES: Readonly<Record<string, string>> = {
  [MEDIA_TYPES.dockerLayer]: MEDIA_TYPES.layer,
  [MEDIA_TYPES.dockerLayerGzip]: MEDIA_TYPES.layerGzip,
  "application/vnd.docker.image.rootfs.diff.tar.zstd": MEDIA_TYPES.layerZstd,
};

/** The same blob as an OCI manifest calls it. */
export function ociLayer({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType: OCI_LAYER_TYPES[mediaType] ?? mediaType, digest, size };
}
