/**
 * An image to a registry: the blobs that it lacks, several at once, then the manifest that names them.
 */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { TsrunError } from "../base/errors.ts";
import type { Descriptor } from "./config.ts";
import type { ImageProgress } from "./fetch-image.ts";
import { formatReference, type ImageReference, parseReference } from "./reference.ts";
import { openRegistry, type RegistryAccess } from "./registry/access.ts";
import { putManifest } from "./registry/manifests.ts";
import { expandName, hasRegistry, planSources } from "./registry/plan-sources.ts";
import { pushBlob } from "./registry/push-blob.ts";
import { readRegistriesConf } from "./registry/registries-conf.ts";
import type { Registry } from "./registry/registry.ts";
import { releasingBuffers } from "./release-buffers.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { Turns } from "./turns.ts";

export interface PushOptions extends RegistryAccess {
  readonly onProgress?: (progress: ImageProgress) => void;
  /** How large a piece of a blob is sent at once; smaller blobs go whole. */
  readonly chunkBytes?: number;
}

export interface PushedImage {
  /** "host/repository:tag". */
  readonly name: string;
  readonly digest: string;
}

const BLOBS_AT_ONCE = 3;

/** Throws INVALID_ARGUMENT for a name without a registry, REGISTRY_DENIED, REGISTRY_UNAVAILABLE, ABORTED. */
export async function pushImage(
  store: ImageStore,
  image: StoredImage,
  destination: string,
  options: PushOptions = {},
): Promise<PushedImage> {
  const reference = parseDestination(destination);
  const conf = options.conf ?? readRegistriesConf();
  // A mirror is only read from: what the name itself stands for comes last.
  const address = planSources({ name: reference.name }, conf).at(-1);
  if (!address) throw new Error("a whole name has a place");
  await using registry = await openRegistry(address, options);
  const { manifest, manifestDigest } = image;
  const mountFrom = sourcesAt(store, registry);
  const turns = new Turns(BLOBS_AT_ONCE);
  const pushed = await Promise.allSettled(
    [...manifest.layers, manifest.config].map((descriptor) =>
      turns.take(() =>
        pushOne(store, registry, descriptor, {
          ...{ options, mountFrom },
          what: descriptor === manifest.config ? "config" : "layer",
        }),
      ),
    ),
  );
  for (const end of pushed) if (end.status === "rejected") throw end.reason;
  const bytes = store.readBlob(manifestDigest);
  const digest = await putManifest(registry, { ...manifest, bytes }, reference.tag);
  return { name: formatReference(reference), digest };
}

function parseDestination(text: string): ImageReference {
  const reference = parseReference(text.replace(/^docker:\/\//, ""));
  const [name = ""] = expandName(reference.name, {
    searchRegistries: [],
    registries: [],
    aliases: new Map(),
  });
  if (hasRegistry(reference.name)) return { ...reference, name };
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" does not say which registry to push to`, {
    hint: `Write it with its host: HOST[:PORT]/${reference.name}.`,
  });
}

/** Repositories of the same registry that images here came from: they may lend their blobs. */
function sourcesAt(store: ImageStore, { address }: Registry): readonly string[] {
  const prefix = `${address.host}/`;
  const repositories = store
    .images()
    .flatMap(({ sources, names }) => [...sources, ...names])
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length).replace(/(@|:[^/]*$).*/, ""));
  return [...new Set(repositories)].filter((name) => name !== address.repository).slice(0, 3);
}

async function pushOne(
  store: ImageStore,
  registry: Registry,
  descriptor: Descriptor,
  how: {
    readonly options: PushOptions;
    readonly mountFrom: readonly string[];
    readonly what: ImageProgress["what"];
  },
): Promise<void> {
  const { digest, size: total } = descriptor;
  const { options, mountFrom, what } = how;
  if (!store.hasBlob(digest)) throw noBlob(digest);
  const report = (state: ImageProgress["state"], bytes: number) =>
    options.onProgress?.({ digest, what, state, bytes, total });
  report("running", 0);
  const { chunkBytes, retry } = options;
  const outcome = await pushBlob(registry, descriptor, {
    mountFrom,
    open: (start, end) =>
      Readable.from(
        releasingBuffers(createReadStream(store.blobPath(digest), { start, end: end - 1 })),
        { objectMode: false },
      ),
    onBytes: (bytes) => report("running", bytes),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
    ...(retry ? { retry } : {}),
  });
  report(outcome === "uploaded" ? "done" : "exists", total);
}

function noBlob(digest: string): TsrunError {
  return new TsrunError("NOT_FOUND", `the layer ${digest} is not there in its packed form`, {
    hint: "It was imported by an earlier version of tsrun: import the image again.",
  });
}
