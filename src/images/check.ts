/**
 * Whether the store is what it says: every blob has its digest, and every layer is what its blob unpacks
 * to. Repairing removes what is wrong, so that the next pull brings it, and unpacks layers anew.
 */
import { createHash } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { openRoot, removeTree } from "../ffi/index.ts";
import type { Descriptor } from "./config.ts";
import { decompress } from "./decompress.ts";
import { hexOf } from "./digest.ts";
import { copyAttributes } from "./implied.ts";
import { type IndexEntry, nameOf } from "./index-entries.ts";
import { readChunks } from "./ingest.ts";
import { findLayer, type LayerKey, layerKeys, layerPath } from "./layers.ts";
import { packUpper } from "./pack.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { unpackTar } from "./unpack.ts";
import { claimWork, type Work } from "./work.ts";

export interface StoreFinding {
  readonly path: string;
  /** A sentence without its full stop. */
  readonly message: string;
  readonly repaired: boolean;
}

/** Reads everything. What is right afterwards is as it was. */
export async function checkImageStore(
  store: ImageStore,
  { repair }: { readonly repair: boolean },
): Promise<readonly StoreFinding[]> {
  if (store.entries().length === 0) return [];
  using work = await claimWork(store);
  const check = new StoreCheck(store, work, repair);
  for (const entry of store.entries()) await check.image(entry);
  return check.findings;
}

class StoreCheck {
  readonly findings: StoreFinding[] = [];
  readonly #store: ImageStore;
  readonly #work: Work;
  readonly #repair: boolean;
  readonly #blobs = new Map<string, boolean>();
  readonly #layers = new Set<string>();

  constructor(store: ImageStore, work: Work, repair: boolean) {
    this.#store = store;
    this.#work = work;
    this.#repair = repair;
  }

  async image(entry: IndexEntry): Promise<void> {
    const image = await this.#readImage(entry);
    if (!image) return;
    const { layers } = image.manifest;
    for (const [at, key] of layerKeys(image).entries()) {
      const descriptor = layers[at];
      if (!descriptor) continue;
      const isSound = await this.#blob(descriptor);
      await this.#layer(image, { at, key, descriptor: isSound ? descriptor : undefined });
    }
  }

  /** An image without its manifest or configuration is none. */
  async #readImage(entry: IndexEntry): Promise<StoredImage | undefined> {
    const name = nameOf(entry) ?? entry.digest;
    const sound = await this.#blob(entry);
    try {
      const [image] = sound ? this.#store.imagesOf([entry]) : [];
      if (image && (await this.#blob(image.manifest.config))) return image;
    } catch (error) {
      if (!(error instanceof TsrunError)) throw error;
    }
    await this.#found(this.#store.blobPath(entry.digest), `the image "${name}" is damaged`, () =>
      this.#store.locked(() => {
        const left = this.#store.entries().filter(({ digest }) => digest !== entry.digest);
        this.#store.writeEntries(left);
      }),
    );
    return undefined;
  }

  async #blob(descriptor: Descriptor): Promise<boolean> {
    const { digest, size } = descriptor;
    const known = this.#blobs.get(digest);
    if (known !== undefined) return known;
    const path = this.#store.blobPath(digest);
    const hash = createHash("sha256");
    // One byte more than there should be tells that there are too many.
    const isThere = existsSync(path);
    if (isThere) for await (const chunk of readChunks(path, size + 1)) hash.update(chunk);
    const sound = isThere && `sha256:${hash.digest("hex")}` === digest;
    this.#blobs.set(digest, sound);
    if (!sound) {
      const problem = isThere ? "has other contents than its digest" : "is missing";
      await this.#found(path, `a blob ${problem}`, () => rmSync(path, { force: true }));
    }
    return sound;
  }

  /** `descriptor` where there is a sound blob to compare with. */
  async #layer(
    image: StoredImage,
    what: {
      readonly at: number;
      readonly key: LayerKey;
      readonly descriptor: Descriptor | undefined;
    },
  ): Promise<void> {
    const { at, key, descriptor } = what;
    const path = findLayer(this.#store, key);
    const target = path ?? layerPath(this.#store, key.diffId);
    if (this.#layers.has(target)) return;
    this.#layers.add(target);
    if (!descriptor) {
      if (path === undefined) await this.#found(target, "a layer is missing", undefined);
      return;
    }
    const fresh = join(this.#work.directory, `${hexOf(key.chainId)}-${at}`);
    try {
      await this.#unpack(descriptor, { fresh, image, at, target });
      const isSame = path !== undefined && (await treeDigest(path)) === (await treeDigest(fresh));
      if (isSame) return;
      const problem = path === undefined ? "is missing" : "was changed since it was unpacked";
      await this.#found(target, `a layer ${problem}`, () => this.#replace(target, fresh));
    } finally {
      removeTree(fresh);
    }
  }

  async #unpack(
    descriptor: Descriptor,
    what: {
      readonly fresh: string;
      readonly image: StoredImage;
      readonly at: number;
      readonly target: string;
    },
  ): Promise<void> {
    const { fresh, image, at, target } = what;
    const keys = layerKeys(image);
    const key = keys[at];
    if (!key) throw new Error("a layer without a key");
    makeDirectories(fresh, 0o755);
    const bytes = readChunks(this.#store.blobPath(descriptor.digest), descriptor.size);
    const { tar } = await decompress(bytes);
    const { diffId } = key;
    const { implied } = await unpackTar(tar, openRoot(fresh), { whiteouts: true, diffId });
    const leans = target !== layerPath(this.#store, diffId);
    if (!leans) return;
    const below = keys.slice(0, at).map((one) => findLayer(this.#store, one) ?? "");
    copyAttributes(fresh, implied, below.filter(Boolean).reverse());
  }

  /** A container that stands on the old one keeps it until it ends. */
  #replace(target: string, fresh: string): Promise<void> {
    return this.#store.locked(() => {
      const old = `${fresh}-old`;
      if (existsSync(target)) renameSync(target, old);
      renameSync(fresh, target);
      removeTree(old);
    });
  }

  async #found(
    path: string,
    message: string,
    mend: (() => void | Promise<void>) | undefined,
  ): Promise<void> {
    const repaired = this.#repair && mend !== undefined;
    if (repaired) await mend();
    this.findings.push({ path, message, repaired });
  }
}

/** Everything in a layer's files that an archive can say, as one digest. */
async function treeDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of packUpper(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
