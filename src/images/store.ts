/**
 * Where images lie: an OCI image layout (image-spec image-layout.md) whose layers are unpacked.
 *
 *     ROOT/images/oci-layout, index.json   names → manifests
 *     ROOT/images/blobs/sha256/HEX         manifests and configurations
 *     ROOT/images/layers/HEX/              a layer's files by its diff id, in overlayfs's form
 *     ROOT/images/tmp/NAME                 what an import is just unpacking; NAME's lock is held
 *     ROOT/images/lock                     flock: held while index, blobs or layers change
 *
 * A layer is unpacked below tmp/ and renamed into layers/, so whatever is there is whole. An import
 * that was killed leaves something below tmp/ whose lock is free; the next change removes it.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory, writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import { flock, tryFlock } from "../ffi/index.ts";
import { type Descriptor, type ImageConfig, type ImageManifest, MEDIA_TYPES } from "./config.ts";

/** The annotation that carries an image's name in index.json. */
const REF_NAME = "org.opencontainers.image.ref.name";

interface IndexEntry extends Descriptor {
  readonly annotations: Readonly<Record<string, string>>;
}

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
  readonly manifest: ImageManifest;
  readonly manifestDigest: string;
  readonly config: ImageConfig;
}

export class ImageStore {
  readonly directory: string;

  constructor(root: string) {
    this.directory = join(root, "images");
  }

  layerDirectory(diffId: string): string {
    return join(this.directory, "layers", hexOf(diffId));
  }

  get temporaryDirectory(): string {
    return join(this.directory, "tmp");
  }

  hasLayer(diffId: string): boolean {
    return existsSync(this.layerDirectory(diffId));
  }

  /** All images, in the order in which they were stored. */
  images(): readonly StoredImage[] {
    const byManifest = new Map<string, string[]>();
    for (const { digest, annotations } of this.#readIndex().manifests) {
      const names = byManifest.get(digest) ?? [];
      const name = annotations[REF_NAME];
      byManifest.set(digest, name === undefined ? names : [...names, name]);
    }
    return [...byManifest].map(([digest, names]) => this.#readImage(digest, names));
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

  /** Stores an image's blobs and gives it the name, taking it from any other. Call it locked. */
  put(name: string, config: ImageConfig, layers: readonly Descriptor[]): StoredImage {
    const configDescriptor = this.#writeBlob(MEDIA_TYPES.config, config);
    const manifest: ImageManifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: configDescriptor,
      layers,
    };
    const descriptor = this.#writeBlob(MEDIA_TYPES.manifest, manifest);
    this.setName(name, descriptor);
    return this.#readImage(descriptor.digest, [name]);
  }

  /** Points a name at a manifest; the name is taken from where it pointed before. Call it locked. */
  setName(name: string, { mediaType, digest, size }: Descriptor): void {
    const others = this.#readIndex().manifests.filter(
      ({ annotations }) => annotations[REF_NAME] !== name,
    );
    this.#writeIndex([...others, { mediaType, digest, size, annotations: { [REF_NAME]: name } }]);
  }

  descriptor({ manifestDigest }: StoredImage): Descriptor {
    const entry = this.#readIndex().manifests.find(({ digest }) => digest === manifestDigest);
    if (!entry) throw new TsrunError("NOT_FOUND", `the image ${manifestDigest} is gone`);
    return entry;
  }

  /** Takes names away; blobs and layers that no name leads to any more are the answer of `unused`. */
  removeNames(names: ReadonlySet<string>): void {
    const kept = this.#readIndex().manifests.filter(
      ({ annotations }) => !names.has(annotations[REF_NAME] ?? ""),
    );
    this.#writeIndex(kept);
  }

  /** Layer directories and blobs that no image in the index uses. Call it locked. */
  unused(): { readonly layers: readonly string[]; readonly blobs: readonly string[] } {
    const images = this.images();
    const layers = new Set(images.flatMap(({ config }) => config.rootfs.diff_ids.map(hexOf)));
    const blobs = new Set(
      images.flatMap(({ manifest, manifestDigest }) =>
        [manifestDigest, manifest.config.digest].map(hexOf),
      ),
    );
    return {
      layers: listDirectory(join(this.directory, "layers"))
        .filter((hex) => !layers.has(hex))
        .map((hex) => join(this.directory, "layers", hex)),
      blobs: listDirectory(join(this.directory, "blobs", "sha256"))
        .filter((hex) => !blobs.has(hex))
        .map((hex) => join(this.directory, "blobs", "sha256", hex)),
    };
  }

  #readImage(manifestDigest: string, names: readonly string[]): StoredImage {
    const manifest = this.#readBlob(manifestDigest) as ImageManifest;
    const config = this.#readBlob(manifest.config.digest) as ImageConfig;
    return { id: hexOf(manifest.config.digest), names, manifest, manifestDigest, config };
  }

  #readBlob(digest: string): unknown {
    const bytes = readFileSync(join(this.directory, "blobs", "sha256", hexOf(digest)));
    if (digestOf(bytes) !== digest) {
      throw new TsrunError("IMAGE_INVALID", `the stored blob ${digest} has other contents`, {
        hint: "The disk or somebody changed it: remove the image and import it again.",
      });
    }
    return JSON.parse(bytes.toString("utf8"));
  }

  #writeBlob(mediaType: string, value: unknown): Descriptor {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    writeFileAtomic(join(this.directory, "blobs", "sha256", hexOf(digest)), bytes, {
      durable: true,
    });
    return { mediaType, digest, size: bytes.length };
  }

  #readIndex(): ImageIndex {
    try {
      return JSON.parse(readFileSync(join(this.directory, "index.json"), "utf8")) as ImageIndex;
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
      return { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [] };
    }
  }

  #writeIndex(manifests: readonly IndexEntry[]): void {
    const index: ImageIndex = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests };
    writeFileAtomic(join(this.directory, "index.json"), JSON.stringify(index), { durable: true });
  }

  #makeDirectories(): void {
    for (const name of ["blobs/sha256", "layers", "tmp"]) {
      makeDirectories(join(this.directory, name), 0o700);
    }
    const layout = join(this.directory, "oci-layout");
    if (existsSync(layout)) return;
    writeFileAtomic(layout, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    syncDirectory(this.directory);
  }
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}

export function listDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Removes blobs that nothing uses; a blob that is gone is fine. */
export function removeBlobs(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { force: true });
}
