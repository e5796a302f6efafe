/**
 * Where images lie: an OCI image layout (image-spec image-layout.md) whose layers are unpacked.
 *
 *     ROOT/images/oci-layout, index.json   names and their versions → manifests
 *     ROOT/images/blobs/sha256/HEX         manifests, configurations and packed layers
 *     ROOT/images/layers/HEX/              a layer's files in overlayfs's form, see layers.ts
 *     ROOT/images/layer-records/HEX.json   what was learned when it was unpacked
 *     ROOT/images/ingest/HEX               a blob that is just coming, or that a pull has left half
 *     ROOT/images/tmp/NAME                 what an import or pull is at work on; NAME's lock is held
 *     ROOT/images/lock                     flock: held while index, blobs or layers change
 *
 * A blob comes in below ingest/, a layer below tmp/, and both are renamed into place, so whatever is
 * there is whole. What was killed leaves something whose lock is free; the next change removes it.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory, writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { flock, tryFlock } from "../ffi/index.ts";
import { type Descriptor, type ImageConfig, type ImageManifest, MEDIA_TYPES } from "./config.ts";
import { digestOf, hexOf } from "./digest.ts";
import { type IndexEntry, nameOf, pointName, sourceOf } from "./index-entries.ts";
import { parseImageConfig, parseManifest } from "./parse-manifest.ts";

interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly IndexEntry[];
}

/** A stored image: its manifest and configuration, and every name that it has. */
export interface StoredImage {
  /** The configuration's digest without "sha256:", as podman counts images. */
  readonly id: string;
  readonly names: readonly string[];
  /** "host/repository@sha256:…": where registries have it. */
  readonly sources: readonly string[];
  readonly manifest: ImageManifest;
  readonly manifestDigest: string;
  readonly manifestSize: number;
  readonly config: ImageConfig;
}

/** A document as it came: its digest is that of these bytes. */
export interface ImageDocument {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface NewImage {
  /** Without one it has no name, only its id. */
  readonly name?: string;
  readonly manifest: ImageDocument;
  readonly config: ImageDocument;
  /** "host/repository@sha256:…", for one that came from there. */
  readonly source?: string;
}

export class ImageStore {
  readonly directory: string;

  constructor(root: string) {
    this.directory = join(root, "images");
  }

  get temporaryDirectory(): string {
    return join(this.directory, "tmp");
  }

  get ingestDirectory(): string {
    return join(this.directory, "ingest");
  }

  get layersDirectory(): string {
    return join(this.directory, "layers");
  }

  get recordsDirectory(): string {
    return join(this.directory, "layer-records");
  }

  get blobsDirectory(): string {
    return join(this.directory, "blobs", "sha256");
  }

  blobPath(digest: string): string {
    return join(this.blobsDirectory, hexOf(digest));
  }

  hasBlob(digest: string): boolean {
    return existsSync(this.blobPath(digest));
  }

  /** All images, in the order in which they were stored. */
  images(): readonly StoredImage[] {
    return this.imagesOf(this.entries());
  }

  /** The images of some of the index's entries. */
  imagesOf(entries: readonly IndexEntry[]): readonly StoredImage[] {
    return [...Map.groupBy(entries, ({ digest }) => digest).values()].map((same) =>
      this.#readImage(same),
    );
  }

  entries(): readonly IndexEntry[] {
    try {
      const text = readFileSync(join(this.directory, "index.json"), "utf8");
      return (JSON.parse(text) as ImageIndex).manifests;
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      return [];
    }
  }

  /** Call it locked. */
  writeEntries(manifests: readonly IndexEntry[]): void {
    const index: ImageIndex = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
    writeFileAtomic(join(this.directory, "index.json"), JSON.stringify(index), { durable: true });
  }

  /** Runs `change` while no other process changes the store. */
  async locked<T>(change: () => T | Promise<T>): Promise<T> {
    this.#makeDirectories();
    const fd = openSync(join(this.directory, "lock"), "a", 0o600);
    try {
      if (!tryFlock(fd, "exclusive")) await flock(fd, "exclusive");
      return await change();
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Stores an image whose layers are there, and gives it the name, whose former image becomes a past
   * version. Call it locked.
   */
  put({ name, manifest, config, source }: NewImage): StoredImage {
    this.#writeBlob(config);
    const descriptor = this.#writeBlob(manifest);
    const now = new Date().toISOString();
    const entries = this.entries();
    if (name !== undefined) {
      this.writeEntries(pointName(entries, { name, descriptor, now, source }));
    } else if (!entries.some(({ digest }) => digest === descriptor.digest)) {
      this.writeEntries([...entries, { ...descriptor, annotations: {} }]);
    }
    return this.#readImage(this.entries().filter(({ digest }) => digest === descriptor.digest));
  }

  #readImage(same: readonly IndexEntry[]): StoredImage {
    const { digest: manifestDigest = "", mediaType = "", size: manifestSize = 0 } = same[0] ?? {};
    const manifest = this.#readManifest(manifestDigest, mediaType);
    const { digest } = manifest.config;
    return {
      id: hexOf(digest),
      names: same.flatMap((entry) => nameOf(entry) ?? []),
      sources: [...new Set(same.flatMap((entry) => sourceOf(entry) ?? []))],
      manifest,
      manifestDigest,
      manifestSize,
      config: parseImageConfig(this.readBlob(digest), manifest),
    };
  }

  #readManifest(digest: string, mediaType: string): ImageManifest {
    const parsed = parseManifest(this.readBlob(digest), mediaType);
    if (parsed.kind === "manifest") return parsed.manifest;
    throw new TsrunError("IMAGE_INVALID", `the store's index leads to another index (${digest})`, {
      hint: "Somebody else has changed it: `tsrun system check --repair`.",
    });
  }

  /** A small blob's bytes. Its digest was checked when it came, and `tsrun system check` does it again. */
  readBlob(digest: string): Buffer {
    try {
      return readFileSync(this.blobPath(digest));
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      throw new TsrunError("IMAGE_INVALID", `the stored blob ${digest} is gone`, {
        hint: "The disk or somebody lost it: pull or import the image again.",
      });
    }
  }

  #writeBlob({ mediaType, bytes }: ImageDocument): Descriptor {
    const digest = digestOf(bytes);
    writeFileAtomic(this.blobPath(digest), bytes, { durable: true });
    return { mediaType, digest, size: bytes.length };
  }

  #makeDirectories(): void {
    const layout = join(this.directory, "oci-layout");
    if (existsSync(layout) && existsSync(this.ingestDirectory)) return;
    const { blobsDirectory, layersDirectory, recordsDirectory, temporaryDirectory } = this;
    for (const path of [blobsDirectory, layersDirectory, recordsDirectory, temporaryDirectory]) {
      makeDirectories(path, 0o700);
    }
    makeDirectories(this.ingestDirectory, 0o700);
    writeFileAtomic(layout, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    syncDirectory(this.directory);
  }
}

export function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}
