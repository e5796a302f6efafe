/**
 * Images that are being built, step by step: each step's layer is stored as soon as it is there, and
 * remembered for the next build; only a finished image gets into the index. What a killed build leaves are
 * layers that the cache keeps, and work that the next one removes.
 */
import { join } from "node:path";
import { faultPoint } from "../base/fault.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { type AddedLayer, addLayer, adoptLayer, keepAddedLayer } from "./add-layer.ts";
import { type CachedStep, findCachedStep, writeCachedStep } from "./build-cache.ts";
import { chainIds } from "./chain-id.ts";
import { composeManifest, jsonDocument } from "./compose.ts";
import { composeCommittedConfig, ociLayer } from "./compose-commit.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageProcessConfig,
  MEDIA_TYPES,
} from "./config.ts";
import { neededBy } from "./garbage.ts";
import { findLayer, type LayerKey, layerDirectories, layerPath, rootLayer } from "./layers.ts";
import { packUpper } from "./pack.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { claimWork, type Work } from "./work.ts";

/** An image so far. A value: several may go on from one. */
export interface Draft {
  /** undefined for an empty one. */
  readonly document: ImageConfig | undefined;
  readonly layers: readonly Descriptor[];
  /** The layers' directories, uppermost first. */
  readonly directories: readonly string[];
  /** Says what "/" is like. */
  readonly rootLayer: string | undefined;
}

export const EMPTY_DRAFT: Draft = {
  document: undefined,
  layers: [],
  directories: [],
  rootLayer: undefined,
};

export interface DraftStep {
  /** What the step is known by: the same key means the same result. */
  readonly key: string;
  /** The configuration after it. */
  readonly config: ImageProcessConfig;
  readonly createdBy: string;
  readonly author?: string;
}

export interface DraftsOptions {
  /** Milliseconds since the epoch: the time of every step and of all files of new layers. */
  readonly timestampMs?: number;
  readonly compression?: "gzip" | "zstd";
  readonly signal?: AbortSignal;
  /** Told of files that a layer cannot hold. */
  readonly warn?: (message: string) => void;
}

/** All drafts of one build. Disposing removes its work; what was stored stays in the cache. */
export class ImageDrafts implements Disposable {
  readonly #store: ImageStore;
  readonly #work: Work;
  readonly #options: DraftsOptions;
  readonly #needed = new Set<string>();
  #count = 0;

  private constructor(store: ImageStore, work: Work, options: DraftsOptions) {
    this.#store = store;
    this.#work = work;
    this.#options = options;
  }

  static async begin(store: ImageStore, options: DraftsOptions = {}): Promise<ImageDrafts> {
    return new ImageDrafts(store, await claimWork(store), options);
  }

  /** Gone with the build, or if that is killed, with the next one. */
  get workDirectory(): string {
    return this.#work.directory;
  }

  /** An empty directory below the work's. */
  makeDirectory(what: string): string {
    this.#count += 1;
    const directory = join(this.#work.directory, `${what}-${this.#count}`);
    makeDirectories(directory, 0o700);
    return directory;
  }

  /** `find` looks the image up while nobody can remove it. */
  from(find: () => StoredImage): Promise<{ readonly image: StoredImage; readonly draft: Draft }> {
    return this.#store.locked(() => {
      const image = find();
      this.#need(neededBy(image));
      const draft = {
        document: image.config,
        layers: image.manifest.layers.map(ociLayer),
        directories: layerDirectories(this.#store, image),
        rootLayer: rootLayer(this.#store, image),
      };
      return { image, draft };
    });
  }

  /** The draft after a step that an earlier build has done; undefined if none has. */
  cached(draft: Draft, step: DraftStep): Promise<Draft | undefined> {
    return this.#store.locked(() => {
      const cached = findCachedStep(this.#store, step.key);
      if (!cached) return undefined;
      const { layer } = cached;
      if (layer) this.#need([layer.diffId, layer.chainId, layer.descriptor.digest]);
      const directory =
        layer && (findLayer(this.#store, layer) ?? layerPath(this.#store, layer.diffId));
      return extended(draft, step, cached, directory);
    });
  }

  /**
   * The draft after a step whose changes are in an overlay's upper, or that changed nothing but the
   * configuration. `isOurs`: the upper is below the work's directory, and nobody else wants it: it becomes
   * the layer. Throws NO_SPACE, ABORTED.
   */
  async extend(
    draft: Draft,
    step: DraftStep,
    upper?: { readonly path: string; readonly isOurs: boolean },
  ): Promise<Draft> {
    const { timestampMs } = this.#options;
    const created = new Date(timestampMs ?? Date.now()).toISOString();
    if (upper === undefined) return this.#keep(draft, step, { created });
    const added = await this.#addLayer(upper);
    const { diffId } = added.layer;
    const { descriptor } = added;
    const chainId = chainIds([...diffIdsOf(draft), diffId]).at(-1) ?? diffId;
    const layer = { diffId, chainId, descriptor };
    return await this.#keep(draft, step, { created, layer }, () =>
      keepAddedLayer(this.#store, added, { chainId, below: draft.directories }),
    );
  }

  #addLayer({
    path,
    isOurs,
  }: {
    readonly path: string;
    readonly isOurs: boolean;
  }): Promise<AddedLayer> {
    const { timestampMs, compression, signal, warn } = this.#options;
    this.#count += 1;
    const pack = {
      ...(timestampMs === undefined ? {} : { mtimeNs: BigInt(timestampMs) * 1_000_000n }),
      ...(warn ? { warn } : {}),
    };
    const options = {
      name: `layer-${this.#count}`,
      ...(compression ? { compression } : {}),
      ...(signal ? { signal } : {}),
    };
    if (isOurs) return adoptLayer(this.#work, path, { ...options, ...pack });
    return addLayer(this.#work, packUpper(path, pack), options);
  }

  /** Puts the image into the index, with these names or with none. */
  finish(
    draft: Draft,
    {
      names,
      annotations,
      fallback,
    }: {
      readonly names: readonly string[];
      readonly annotations: Readonly<Record<string, string>>;
      /** The configuration of an image without a step. */
      readonly fallback: ImageProcessConfig;
    },
  ): Promise<StoredImage> {
    const { timestampMs } = this.#options;
    const created = new Date(timestampMs ?? Date.now()).toISOString();
    const document =
      draft.document ??
      composeCommittedConfig({ config: fallback, step: { created }, diffIds: [] });
    const config = jsonDocument(MEDIA_TYPES.config, document);
    const manifest = composeManifest(config, draft.layers, annotations);
    return this.#store.locked(() => {
      faultPoint();
      const [first, ...others] = names;
      let image = this.#store.put({
        ...{ manifest, config },
        ...(first === undefined ? {} : { name: first }),
      });
      for (const name of others) image = this.#store.put({ name, manifest, config });
      return image;
    });
  }

  [Symbol.dispose](): void {
    this.#work[Symbol.dispose]();
  }

  #keep(draft: Draft, step: DraftStep, made: CachedStep, place?: () => string): Promise<Draft> {
    return this.#store.locked(() => {
      const { layer } = made;
      if (layer) this.#need([layer.diffId, layer.chainId, layer.descriptor.digest]);
      faultPoint();
      const directory = place?.();
      faultPoint();
      writeCachedStep(this.#store, step.key, made);
      return extended(draft, step, made, directory);
    });
  }

  #need(digests: readonly string[]): void {
    for (const digest of digests) {
      this.#needed.add(digest.startsWith("sha256:") ? digest : `sha256:${digest}`);
    }
    this.#work.need([...this.#needed]);
  }
}

function diffIdsOf({ document }: Draft): readonly string[] {
  return document?.rootfs.diff_ids ?? [];
}

function extended(
  draft: Draft,
  { config, createdBy, author }: DraftStep,
  { created, layer }: { readonly created: string; readonly layer?: CachedLayer },
  directory: string | undefined,
): Draft {
  const document = composeCommittedConfig({
    ...(draft.document ? { base: { config: draft.document } } : {}),
    config,
    step: { created, createdBy, ...(author === undefined ? {} : { author }) },
    diffIds: layer ? [layer.diffId] : [],
  });
  if (!layer || directory === undefined) return { ...draft, document };
  return {
    document,
    layers: [...draft.layers, layer.descriptor],
    directories: [directory, ...draft.directories],
    // A layer of an upper always says what "/" is like.
    rootLayer: directory,
  };
}

type CachedLayer = LayerKey & { readonly descriptor: Descriptor };
