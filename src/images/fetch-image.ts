/**
 * An image from elsewhere into the store: its manifest is known, its blobs come from where the caller
 * says, several layers at once. What is there already, or is just coming for somebody else, is shared.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { UndoStack } from "../base/undo.ts";
import { removeTree } from "../ffi/index.ts";
import type { Descriptor, ImageManifest } from "./config.ts";
import { digestOf } from "./digest.ts";
import { type BlobSource, Ingest, readChunks } from "./ingest.ts";
import {
  findLayer,
  findLayerOn,
  keepLayer,
  type LayerKey,
  layerKeys,
  layerPath,
  leansOnOthers,
  readLayerRecord,
} from "./layers.ts";
import { parseImageConfig, parseManifest } from "./parse-manifest.ts";
import { releasingBuffers } from "./release-buffers.ts";
import type { ImageDocument, ImageStore, StoredImage } from "./store.ts";
import { Turns } from "./turns.ts";
import type { UnpackedLayer, UnpackLimits } from "./unpack.ts";
import { unpackArchive } from "./unpack-archive.ts";
import { UnpackPool } from "./unpack-pool.ts";
import { claimWork, type Work } from "./work.ts";

/** What becomes of one blob, as often as there is something to tell. */
export interface ImageProgress {
  readonly digest: string;
  readonly what: "layer" | "config";
  readonly state: "waiting" | "running" | "done" | "exists";
  /** Bytes of the blob that are here, and all of them. */
  readonly bytes: number;
  readonly total: number;
}

export interface FetchOptions {
  readonly name?: string;
  /** "host/repository@sha256:…", for one that came from there. */
  readonly source?: string;
  readonly limits?: UnpackLimits;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ImageProgress) => void;
}

/** More at once only compete for the processor and the disk. */
const LAYERS_AT_ONCE = 3;
/** Packed; a thread takes as long to start as such a layer to unpack. */
const WORTH_A_THREAD_BYTES = 1 << 20;
const MAX_CONFIG_BYTES = 16 * 2 ** 20;

/**
 * Throws IMAGE_INVALID for contents that are not what their digests say, NO_SPACE, ABORTED, and what
 * the source throws; no name then leads to anything of it.
 */
export async function fetchImage(
  store: ImageStore,
  document: ImageDocument,
  blobs: BlobSource,
  options: FetchOptions = {},
): Promise<StoredImage> {
  const parsed = parseManifest(document.bytes, document.mediaType);
  if (parsed.kind === "index") throw new Error("the manifest of one platform is wanted");
  const { manifest } = parsed;
  using work = await claimWork(store);
  const digests = [digestOf(document.bytes), ...blobDigests(manifest)];
  work.need(digests);
  await using threads = new UnpackPool();
  if (manifest.layers.some((layer) => isWorthAThread(layer) && !store.hasBlob(layer.digest))) {
    threads.prepare();
  }
  const configBytes = await fetchConfig(store, manifest.config, blobs);
  const keys = layerKeys({ config: parseImageConfig(configBytes, manifest) });
  work.need([...digests, ...keys.flatMap(({ diffId, chainId }) => [diffId, chainId])]);
  await fetchLayers({ store, work, threads, blobs, options }, manifest, keys);
  threads.end();
  const { name, source } = options;
  return store.locked(() =>
    store.put({
      ...(name === undefined ? {} : { name }),
      manifest: document,
      config: { mediaType: manifest.config.mediaType, bytes: configBytes },
      ...(source === undefined ? {} : { source }),
    }),
  );
}

function isWorthAThread({ size }: Descriptor): boolean {
  return size >= WORTH_A_THREAD_BYTES;
}

function blobDigests({ config, layers }: ImageManifest): readonly string[] {
  return [config.digest, ...layers.map(({ digest }) => digest)];
}

async function fetchConfig(
  store: ImageStore,
  descriptor: Descriptor,
  blobs: BlobSource,
): Promise<Buffer> {
  if (store.hasBlob(descriptor.digest)) return store.readBlob(descriptor.digest);
  if (descriptor.size > MAX_CONFIG_BYTES) {
    throw new TsrunError("IMAGE_INVALID", "the image's configuration is larger than 16 MiB");
  }
  return buffer(blobs(descriptor, { offset: 0, hash: createHash("sha256") }));
}

interface Fetching {
  readonly store: ImageStore;
  readonly work: Work;
  readonly threads: UnpackPool;
  readonly blobs: BlobSource;
  readonly options: FetchOptions;
}

/** One of an image's layers, and the ones below it as they come to be there, the lowest first. */
interface WantedLayer {
  readonly descriptor: Descriptor;
  readonly key: LayerKey;
  readonly at: number;
  readonly below: readonly Promise<string>[];
}

async function fetchLayers(
  fetching: Fetching,
  manifest: ImageManifest,
  keys: readonly LayerKey[],
): Promise<void> {
  // The first failure ends what the others are doing.
  const stop = new AbortController();
  const given = fetching.options.signal;
  const signal = given ? AbortSignal.any([given, stop.signal]) : stop.signal;
  const running: Fetching = { ...fetching, options: { ...fetching.options, signal } };
  const turns = new Turns(LAYERS_AT_ONCE);
  const paths: Promise<string>[] = [];
  for (const [at, descriptor] of manifest.layers.entries()) {
    const key = keys[at];
    if (!key) throw new Error("a layer without a diff id");
    const wanted = { descriptor, key, at, below: [...paths] };
    report(running, wanted, "waiting", 0);
    paths.push(turns.take(() => fetchLayer(running, wanted)));
  }
  let failure: { readonly error: unknown } | undefined;
  const ends = paths.map((path) =>
    path.catch((error: unknown) => {
      failure ??= { error };
      stop.abort(error);
    }),
  );
  await Promise.all(ends);
  if (failure) throw failure.error;
}

function report(
  { options }: Fetching,
  { descriptor: { digest, size } }: WantedLayer,
  state: ImageProgress["state"],
  bytes: number,
): void {
  options.onProgress?.({ digest, what: "layer", state, bytes, total: size });
}

/** Answers the layer's directory. */
async function fetchLayer(fetching: Fetching, wanted: WantedLayer): Promise<string> {
  const { store, options } = fetching;
  const { descriptor, key } = wanted;
  options.signal?.throwIfAborted();
  let fetched = await fetchOnce(fetching, wanted);
  if (fetched.kind === "placed") {
    report(fetching, wanted, fetched.isNew ? "done" : "exists", descriptor.size);
    return fetched.directory;
  }
  // Others wait for the blob no longer: else two pulls could wait for each other's layers.
  const below = (await Promise.all(wanted.below)).toReversed();
  if (fetched.kind === "leaning") {
    const there = findLayerOn(store, key, below);
    if (there !== undefined) {
      report(fetching, wanted, "exists", descriptor.size);
      return there;
    }
    fetched = await unpackLayer(fetching, wanted, storedBlob(store, descriptor));
  }
  const { directory: unpacked, layer } = fetched;
  const directory = await store.locked(() =>
    keepLayer(store, unpacked, { chainId: key.chainId, below, layer }),
  );
  report(fetching, wanted, "done", descriptor.size);
  return directory;
}

interface UnpackedHere {
  readonly kind: "unpacked";
  readonly directory: string;
  readonly layer: UnpackedLayer;
}

type Fetched =
  | { readonly kind: "placed"; readonly directory: string; readonly isNew: boolean }
  /** It is there, but perhaps not as it is on top of these layers. */
  | { readonly kind: "leaning" }
  | UnpackedHere;

/** What an earlier pull left half may be wrong: then it is fetched again from its beginning. */
async function fetchOnce(fetching: Fetching, wanted: WantedLayer): Promise<Fetched> {
  const { store, options } = fetching;
  const { descriptor, key } = wanted;
  using ingest = await Ingest.begin(store, descriptor, options.signal);
  const there = store.hasBlob(descriptor.digest) ? findLayer(store, key) : undefined;
  if (there !== undefined) {
    const leans = there !== layerPath(store, key.chainId) && leansOnOthers(readImplied(store, key));
    return leans ? { kind: "leaning" } : { kind: "placed", directory: there, isNew: false };
  }
  const resumed = ingest.resumable > 0;
  try {
    return await fetchBlob(fetching, wanted, ingest);
  } catch (error) {
    const code = error instanceof TsrunError ? error.code : undefined;
    // Wrong bytes are good for nothing, and a full disk needs the room.
    if (code === "IMAGE_INVALID" || code === "NO_SPACE") ingest.discard();
    if (code !== "IMAGE_INVALID" || !resumed) throw error;
    return await fetchBlob(fetching, wanted, ingest);
  }
}

function readImplied(store: ImageStore, { diffId }: LayerKey): Pick<UnpackedLayer, "implied"> {
  return readLayerRecord(store, diffId) ?? { implied: [] };
}

async function fetchBlob(
  fetching: Fetching,
  wanted: WantedLayer,
  ingest: Ingest,
): Promise<Fetched> {
  const { store, blobs } = fetching;
  const { descriptor } = wanted;
  const isStored = store.hasBlob(descriptor.digest);
  const blob = isStored
    ? storedBlob(store, descriptor)
    : { file: ingest.path, bytes: ingest.bytes(blobs) };
  const unpacked = await unpackLayer(fetching, wanted, blob);
  if (!isStored) await ingest.finish();
  const { directory, layer } = unpacked;
  if (leansOnOthers(layer)) return unpacked;
  const chainId = layer.diffId;
  const kept = await store.locked(() => keepLayer(store, directory, { chainId, below: [], layer }));
  return { kind: "placed", directory: kept, isNew: true };
}

/** A layer's archive, and the file that its bytes are in as they come. */
interface LayerBlob {
  readonly file: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

function storedBlob(store: ImageStore, descriptor: Descriptor): LayerBlob {
  return { file: store.blobPath(descriptor.digest), bytes: storedBytes(store, descriptor) };
}

async function unpackLayer(
  fetching: Fetching,
  wanted: WantedLayer,
  { file, bytes }: LayerBlob,
): Promise<UnpackedHere> {
  const { work, threads, options } = fetching;
  const { key, at } = wanted;
  const directory = join(work.directory, `layer-${at}`);
  await using undo = new UndoStack();
  makeDirectories(directory, 0o755);
  undo.defer(() => removeTree(directory));
  const { limits, signal } = options;
  const archive = counted(fetching, wanted, bytes);
  const how = {
    diffId: key.diffId,
    ...(limits ? { limits } : {}),
    ...(signal ? { signal } : {}),
  };
  const layer = await (isWorthAThread(wanted.descriptor)
    ? threads.unpack(archive, { file, directory, ...how })
    : unpackArchive(archive, directory, how));
  undo.keep();
  return { kind: "unpacked", directory, layer };
}

async function* storedBytes(store: ImageStore, { digest, size }: Descriptor) {
  const hash = createHash("sha256");
  for await (const chunk of readChunks(store.blobPath(digest), size)) {
    hash.update(chunk);
    yield chunk;
  }
  if (`sha256:${hash.digest("hex")}` === digest) return;
  throw new TsrunError("IMAGE_INVALID", `the stored blob ${digest} has other contents`, {
    hint: "The disk or somebody changed it: `tsrun system check --repair`, then try again.",
  });
}

const REPORT_BYTES = 256 * 1024;

async function* counted(
  fetching: Fetching,
  wanted: WantedLayer,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let count = 0;
  let told = -REPORT_BYTES;
  for await (const chunk of releasingBuffers(bytes)) {
    count += chunk.length;
    if (count - told >= REPORT_BYTES) {
      told = count;
      report(fetching, wanted, "running", count);
    }
    yield chunk;
  }
}
