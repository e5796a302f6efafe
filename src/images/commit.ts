/**
 * An image on top of another: one more layer, another configuration, or both. Commits and builds make
 * theirs here.
 */
import { TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { type AddedLayer, addLayer, keepAddedLayer } from "./add-layer.ts";
import { chainIds } from "./chain-id.ts";
import { composeManifest, jsonDocument } from "./compose.ts";
import { composeCommittedConfig, type ImageStep, ociLayer } from "./compose-commit.ts";
import { type ImageProcessConfig, MEDIA_TYPES } from "./config.ts";
import { neededBy } from "./garbage.ts";
import { findLayerOn, layerKeys } from "./layers.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import type { UnpackLimits } from "./unpack.ts";
import { claimWork, type Work } from "./work.ts";

export interface CommitImageOptions {
  /** What it stands on; without it the layers are the whole image. */
  readonly base?: StoredImage;
  /** Whose platform and other fields it has, where it does not stand on it. */
  readonly like?: StoredImage;
  /** Each begins a new layer's tar stream, the lowest first; without any only the configuration changes. */
  readonly layers?: readonly (() => AsyncIterable<Uint8Array>)[];
  /** What its containers do unless told otherwise: all of it, not the difference. */
  readonly config: ImageProcessConfig;
  readonly step: ImageStep;
  /** The whole name, which is taken from whatever had it; without one it has only its id. */
  readonly name?: string;
  /** How the layer is packed: zstd without it. */
  readonly compression?: "gzip" | "zstd";
  readonly limits?: UnpackLimits;
  readonly signal?: AbortSignal;
}

/**
 * Stores the image. Throws NO_SPACE, ABORTED, NOT_FOUND if the base was removed meanwhile, and whatever
 * the layer's stream fails with; nothing of it is then left.
 */
export async function commitImage(
  store: ImageStore,
  options: CommitImageOptions,
): Promise<StoredImage> {
  const { base, name } = options;
  using work = await claimWork(store);
  if (base) work.need(neededBy(base));
  faultPoint();
  const added = await addLayers(work, options);
  return store.locked(() => {
    checkBase(store, base);
    keepOnTop(store, base, added);
    faultPoint();
    const diffIds = added.map(({ layer }) => layer.diffId);
    const config = jsonDocument(
      MEDIA_TYPES.config,
      composeCommittedConfig({ ...options, diffIds }),
    );
    const below = (base?.manifest.layers ?? []).map(ociLayer);
    const manifest = composeManifest(config, [
      ...below,
      ...added.map(({ descriptor }) => descriptor),
    ]);
    return store.put({ ...(name === undefined ? {} : { name }), manifest, config });
  });
}

async function addLayers(
  work: Work,
  { layers = [], compression, limits, signal }: CommitImageOptions,
): Promise<readonly AddedLayer[]> {
  const added: AddedLayer[] = [];
  for (const [at, begin] of layers.entries()) {
    added.push(
      await addLayer(work, begin(), {
        name: `layer-${at}`,
        ...(compression ? { compression } : {}),
        ...(limits ? { limits } : {}),
        ...(signal ? { signal } : {}),
      }),
    );
  }
  return added;
}

function checkBase(store: ImageStore, base: StoredImage | undefined): void {
  if (!base || base.manifest.layers.every(({ digest }) => store.hasBlob(digest))) return;
  throw new TsrunError("NOT_FOUND", `the image ${base.names[0] ?? base.id} was removed meanwhile`, {
    hint: "Pull or import it again.",
  });
}

function keepOnTop(
  store: ImageStore,
  base: StoredImage | undefined,
  added: readonly AddedLayer[],
): void {
  const keys = base ? layerKeys(base) : [];
  const below: string[] = [];
  for (const key of keys) {
    const found = findLayerOn(store, key, below);
    if (found !== undefined) below.unshift(found);
  }
  const diffIds = [...keys, ...added.map(({ layer }) => layer)].map(({ diffId }) => diffId);
  const chain = chainIds(diffIds);
  for (const [at, one] of added.entries()) {
    const chainId = chain[keys.length + at] ?? one.layer.diffId;
    below.unshift(keepAddedLayer(store, one, { chainId, below }));
  }
}
