/**
 * Manifests, indexes and configurations as they come from elsewhere, checked: OCI image-spec manifest.md
 * and image-index.md, and docker's schema 2 of both.
 */
import { TsrunError } from "../base/errors.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageManifest,
  type ImageProcessConfig,
  MEDIA_TYPES,
} from "./config.ts";
import { checkDigest } from "./digest.ts";
import { formatPlatform, matchPlatform, type Platform } from "./platform.ts";

export interface IndexMember extends Descriptor {
  readonly platform?: Platform;
  readonly annotations?: Readonly<Partial<Record<string, string>>>;
}

export type ParsedManifest =
  | { readonly kind: "manifest"; readonly manifest: ImageManifest }
  | { readonly kind: "index"; readonly members: readonly IndexMember[] };

type Json = Readonly<Record<string, unknown>>;

/** Throws IMAGE_INVALID, UNSUPPORTED for what is none of the four kinds. */
export function parseManifest(bytes: Uint8Array, mediaType: string): ParsedManifest {
  const document = parseJson(bytes, "the manifest");
  const type = document["mediaType"] ?? mediaType;
  if (document["schemaVersion"] === 1) {
    throw new TsrunError("UNSUPPORTED", "the image has a manifest of docker's schema 1", {
      hint: "That format is from before 2016 and cannot be verified: push the image again.",
    });
  }
  const isIndex = type === MEDIA_TYPES.index || type === MEDIA_TYPES.dockerList;
  // A body that is one kind under the other's type could mean different images to different tools.
  if (Array.isArray(document["manifests"]) && (isIndex || type === "")) {
    if (document["layers"] !== undefined || document["config"] !== undefined) throw ambiguous();
    return { kind: "index", members: parseMembers(document["manifests"]) };
  }
  if (isIndex || document["manifests"] !== undefined) throw ambiguous();
  if (type !== "" && type !== MEDIA_TYPES.manifest && type !== MEDIA_TYPES.dockerManifest) {
    throw new TsrunError("UNSUPPORTED", `it is no image: its type is "${String(type)}"`, {
      hint: "Give the name of an image.",
    });
  }
  return { kind: "manifest", manifest: parseImageManifest(document, String(type)) };
}

function ambiguous(): TsrunError {
  return new TsrunError("IMAGE_INVALID", "the manifest is neither an image's nor an index", {
    hint: "Its contents do not fit its type (CVE-2021-41190).",
  });
}

function parseImageManifest(document: Json, mediaType: string): ImageManifest {
  const config = parseDescriptor(document["config"], "the manifest's config");
  if (config.mediaType !== MEDIA_TYPES.config && config.mediaType !== MEDIA_TYPES.dockerConfig) {
    throw new TsrunError("UNSUPPORTED", `it is no image but "${config.mediaType}"`, {
      hint: "Registries have other things too: charts, signatures, modules.",
    });
  }
  const layers = document["layers"];
  if (!Array.isArray(layers)) throw invalid("the manifest has no layers");
  return {
    schemaVersion: 2,
    mediaType: mediaType || MEDIA_TYPES.manifest,
    config,
    layers: layers.map((layer, at) => parseDescriptor(layer, `layer ${at + 1}`)),
  };
}

function parseDescriptor(value: unknown, where: string): Descriptor {
  const { mediaType, digest, size } = objectOf(value, where);
  if (typeof mediaType !== "string") throw invalid(`${where} has no media type`);
  if (!Number.isSafeInteger(size) || Number(size) < 0) throw invalid(`${where} has no size`);
  return { mediaType, digest: checkDigest(digest, where), size: Number(size) };
}

function parseMembers(values: readonly unknown[]): readonly IndexMember[] {
  return values.map((value, at) => {
    const where = `entry ${at + 1} of the index`;
    const { platform, annotations } = objectOf(value, where);
    return {
      ...parseDescriptor(value, where),
      ...(platform === undefined ? {} : { platform: parseOffered(platform, where) }),
      ...(annotations === undefined
        ? {}
        : {
            annotations: objectOf(annotations, where) as Readonly<Partial<Record<string, string>>>,
          }),
    };
  });
}

function parseOffered(value: unknown, where: string): Platform {
  const { os, architecture, variant } = objectOf(value, where);
  return {
    os: String(os ?? ""),
    architecture: String(architecture ?? ""),
    ...(typeof variant === "string" && variant !== "" ? { variant } : {}),
  };
}

/** The member for a platform. Throws NOT_FOUND with what there is. */
export function chooseMember(members: readonly IndexMember[], wanted: Platform): IndexMember {
  const ranked = members
    .map((member) => ({ member, rank: member.platform && matchPlatform(wanted, member.platform) }))
    .filter(({ rank }) => rank !== undefined)
    .toSorted((a, b) => (b.rank ?? 0) - (a.rank ?? 0));
  const [best] = ranked;
  if (best) return best.member;
  const [only, ...others] = members;
  if (only && others.length === 0 && only.platform === undefined) return only;
  const offered = members.flatMap(({ platform }) =>
    platform && platform.os !== "unknown" ? [formatPlatform(platform)] : [],
  );
  throw new TsrunError("NOT_FOUND", `the image is not there for ${formatPlatform(wanted)}`, {
    hint: offered.length === 0 ? "Its index is empty." : `It is there for ${offered.join(", ")}.`,
  });
}

const LAYER_TYPE =
  /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)$/;

/** Throws IMAGE_INVALID for a configuration that does not belong to the manifest's layers. */
export function parseImageConfig(bytes: Uint8Array, { layers }: ImageManifest): ImageConfig {
  const document = parseJson(bytes, "the image's configuration");
  const { diff_ids: diffIds } = objectOf(document["rootfs"], "the configuration's rootfs");
  if (!Array.isArray(diffIds) || diffIds.length !== layers.length) {
    throw invalid(`the image has ${layers.length} layers, and other diff_ids`);
  }
  diffIds.forEach((diffId, at) => {
    checkDigest(diffId, `diff_id ${at + 1}`);
  });
  for (const { mediaType } of layers) {
    if (LAYER_TYPE.test(mediaType)) continue;
    throw new TsrunError("UNSUPPORTED", `a layer is of the type "${mediaType}"`, {
      hint: "Layers are tar archives, plain or compressed with gzip or zstd.",
    });
  }
  if (document["os"] !== "linux" || typeof document["architecture"] !== "string") {
    throw new TsrunError("UNSUPPORTED", `the image is for "${String(document["os"])}"`, {
      hint: "Only images for Linux can be used here.",
    });
  }
  const config = parseProcessConfig(document["config"] ?? {});
  return { ...document, config } as unknown as ImageConfig;
}

const strings = (value: unknown) =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
const string = (value: unknown) => typeof value === "string";
const object = (value: unknown) => typeof value === "object" && !Array.isArray(value);

/** What is used of the configuration's "config", and the form that it must have. config.md "Properties". */
const PROCESS_FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  Env: strings,
  Cmd: strings,
  Entrypoint: strings,
  User: string,
  WorkingDir: string,
  StopSignal: string,
  Labels: object,
  Volumes: object,
  ExposedPorts: object,
  Shell: strings,
  OnBuild: strings,
};

/** docker writes null where there is nothing. */
function parseProcessConfig(value: unknown): ImageProcessConfig {
  const given = Object.entries(objectOf(value, "the configuration's config"));
  for (const [name, field] of given) {
    if (field !== null && PROCESS_FIELDS[name]?.(field) === false) {
      throw invalid(`the configuration's ${name} has the wrong form`);
    }
  }
  return Object.fromEntries(given.filter(([, field]) => field !== null));
}

function parseJson(bytes: Uint8Array, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    throw new TsrunError("IMAGE_INVALID", `${what} is not JSON`, {
      hint: "The registry answers with something else, or it is damaged.",
      cause: error,
    });
  }
  return objectOf(value, what);
}

function objectOf(value: unknown, where: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(`${where} is not a JSON object`);
}

function invalid(problem: string): TsrunError {
  return new TsrunError("IMAGE_INVALID", problem, {
    hint: "The image is damaged, or was made by a broken tool.",
  });
}
