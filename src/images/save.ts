/**
 * Images as one archive: OCI's image layout, or what docker and podman have before it.
 */
import { createReadStream, mkdirSync, statSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar, { type Pack } from "tar-stream";
import { MEDIA_TYPES } from "./config.ts";
import { decompress } from "./decompress.ts";
import { hexOf } from "./digest.ts";
import { readChunks } from "./ingest.ts";
import { imageLayers } from "./layers.ts";
import type { ImageStore, StoredImage } from "./store.ts";

export type SaveFormat = "oci-archive" | "docker-archive";

/** An image, and the names that it is saved with. */
export interface SavedImage {
  readonly image: StoredImage;
  readonly names: readonly string[];
}

/** The same images give the same archive. Throws what the output throws. */
export async function saveImages(
  store: ImageStore,
  images: readonly SavedImage[],
  { format, output }: { readonly format: SaveFormat; readonly output: Writable },
): Promise<void> {
  const pack = tar.pack();
  const archive = new Archive(pack);
  const written = pipeline(pack as unknown as Readable, output);
  written.catch(() => {}); // awaited below
  try {
    if (format === "oci-archive") await writeLayout(archive, store, images);
    else await writeDockerArchive(archive, store, images);
    pack.finalize();
  } catch (error) {
    pack.destroy(error as Error);
    throw error;
  }
  await written;
}

/** The same as a directory. Throws Node's error where it cannot be made. */
export async function saveDirectory(
  store: ImageStore,
  images: readonly SavedImage[],
  directory: string,
): Promise<void> {
  const blobs = join(directory, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  for (const digest of digestsOf(images)) {
    await copyFile(store.blobPath(digest), join(blobs, hexOf(digest)));
  }
  writeFileSync(join(directory, "oci-layout"), LAYOUT);
  writeFileSync(join(directory, "index.json"), composeIndex(images));
}

const LAYOUT = JSON.stringify({ imageLayoutVersion: "1.0.0" });

async function writeLayout(
  archive: Archive,
  store: ImageStore,
  images: readonly SavedImage[],
): Promise<void> {
  await archive.directory("blobs");
  await archive.directory("blobs/sha256");
  for (const digest of digestsOf(images)) {
    await archive.file(`blobs/sha256/${hexOf(digest)}`, store.blobPath(digest));
  }
  await archive.text("index.json", composeIndex(images));
  await archive.text("oci-layout", LAYOUT);
}

function digestsOf(images: readonly SavedImage[]): readonly string[] {
  const all = images.flatMap(({ image: { manifest, manifestDigest } }) => [
    ...manifest.layers.map(({ digest }) => digest),
    manifest.config.digest,
    manifestDigest,
  ]);
  return [...new Set(all)].sort();
}

function composeIndex(images: readonly SavedImage[]): string {
  const manifests = images.flatMap(({ image, names }) => {
    const { mediaType } = image.manifest;
    const descriptor = { mediaType, digest: image.manifestDigest, size: image.manifestSize };
    if (names.length === 0) return [descriptor];
    return names.map((name) => ({
      ...descriptor,
      annotations: { "org.opencontainers.image.ref.name": name },
    }));
  });
  return JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests });
}

async function writeDockerArchive(
  archive: Archive,
  store: ImageStore,
  images: readonly SavedImage[],
): Promise<void> {
  const written = new Set<string>();
  const manifest = [];
  for (const { image, names } of images) {
    const layers = imageLayers(store, image);
    for (const { diffId, digest, size } of layers) {
      if (written.has(diffId)) continue;
      written.add(diffId);
      const bytes = readChunks(store.blobPath(digest), Number.MAX_SAFE_INTEGER);
      await archive.stream(`${hexOf(diffId)}.tar`, size, (await decompress(bytes)).tar);
    }
    const config = `${image.id}.json`;
    if (!written.has(config)) {
      await archive.file(config, store.blobPath(image.manifest.config.digest));
    }
    written.add(config);
    const Layers = layers.map(({ diffId }) => `${hexOf(diffId)}.tar`);
    manifest.push({ Config: config, RepoTags: names, Layers });
  }
  await archive.text("manifest.json", JSON.stringify(manifest));
}

const MTIME = new Date(0);

/** tar-stream's pack, one member after the other. */
class Archive {
  readonly #pack: Pack;

  constructor(pack: Pack) {
    this.#pack = pack;
  }

  async directory(name: string): Promise<void> {
    await this.#entry({ name, type: "directory", mode: 0o755 }, "");
  }

  async text(name: string, contents: string): Promise<void> {
    await this.#entry({ name, mode: 0o644 }, contents);
  }

  async file(name: string, path: string): Promise<void> {
    await this.stream(name, statSync(path).size, createReadStream(path));
  }

  async stream(name: string, size: number, contents: Readable): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const header = { name, size, mode: 0o644, mtime: MTIME };
    const entry = this.#pack.entry(header, (error) => (error ? reject(error) : resolve()));
    promise.catch(() => {}); // the writing fails first, and says so
    await pipeline(contents, entry as unknown as Writable);
    await promise;
  }

  async #entry(header: Parameters<Pack["entry"]>[0], contents: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#pack.entry({ ...header, mtime: MTIME }, contents, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
}
