/**
 * Images from an archive or a directory that tsrun, podman, docker, skopeo or umoci saved.
 */
import { createReadStream, createWriteStream, existsSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { type AddedLayer, addLayer, keepAddedLayer } from "./add-layer.ts";
import { chainIds } from "./chain-id.ts";
import { composeManifest } from "./compose.ts";
import { type Descriptor, MEDIA_TYPES } from "./config.ts";
import { checkArchive, decompress } from "./decompress.ts";
import { checkDigest, digestOf, hexOf } from "./digest.ts";
import { type FetchOptions, fetchImage } from "./fetch-image.ts";
import type { BlobSource } from "./ingest.ts";
import {
  chooseMember,
  type IndexMember,
  parseImageConfig,
  parseManifest,
} from "./parse-manifest.ts";
import { hostPlatform, type Platform } from "./platform.ts";
import { formatReference, parseReference } from "./reference.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { claimWork, type Work } from "./work.ts";

export interface LoadOptions extends Pick<FetchOptions, "onProgress" | "signal" | "limits"> {
  readonly platform?: Platform;
  /** false: what an OCI layout calls its images is passed over, and takes no name from another. */
  readonly names?: boolean;
}

/** An archive's files by their names; names are no paths here. */
type Files = (name: string) => string | undefined;

/** `source`: a file, a directory with an OCI layout, or "-" for stdin. Throws NOT_FOUND, IMAGE_INVALID. */
export async function loadImages(
  store: ImageStore,
  source: string,
  options: LoadOptions = {},
): Promise<readonly StoredImage[]> {
  if (source !== "-" && isDirectory(source)) {
    const files: Files = (name) => {
      const path = join(source, name);
      return existsSync(path) ? path : undefined;
    };
    return loadFrom(store, files, source, options);
  }
  using work = await claimWork(store);
  const raw = source === "-" ? process.stdin : createReadStream(source);
  const { tar: archive } = await decompress(checkArchive(raw, source));
  return await loadFrom(store, await spool(archive, work, options.signal), source, options);
}

function isDirectory(source: string): boolean {
  try {
    return statSync(source).isDirectory();
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new TsrunError("NOT_FOUND", `there is no "${source}" to load`, {
      hint: "Give an archive that `save` made, a directory with an OCI layout, or - for stdin.",
    });
  }
}

/** Every file of the archive among the work's own, numbered: what they are called leads nowhere. */
async function spool(archive: Readable, work: Work, signal?: AbortSignal): Promise<Files> {
  const paths = new Map<string, string>();
  const links = new Map<string, string>();
  const extract = tar.extract();
  const reading = pipeline(
    archive,
    extract as unknown as NodeJS.WritableStream,
    signal ? { signal } : {},
  );
  reading.catch(() => {}); // awaited below
  for await (const entry of extract) {
    const name = posix.normalize(entry.header.name);
    const { type, linkname } = entry.header;
    if (type === "symlink" || type === "link") {
      const base = type === "symlink" ? posix.dirname(name) : ".";
      links.set(name, posix.normalize(posix.join(base, linkname ?? "")));
    } else if (type === "file") {
      const path = join(work.directory, `file-${paths.size}`);
      await pipeline(entry as unknown as Readable, createWriteStream(path, { flags: "wx" }));
      paths.set(name, path);
      continue;
    }
    entry.resume();
  }
  await reading;
  return (name) => {
    const wanted = posix.normalize(name);
    return paths.get(wanted) ?? paths.get(links.get(wanted) ?? "");
  };
}

function loadFrom(
  store: ImageStore,
  files: Files,
  source: string,
  options: LoadOptions,
): Promise<readonly StoredImage[]> {
  if (files("index.json") !== undefined) return loadLayout(store, files, options);
  if (files("manifest.json") !== undefined && options.names !== false)
    return loadDockerArchive(store, files, options);
  throw new TsrunError("IMAGE_INVALID", `"${source}" has no image in it`, {
    hint: "It has neither an index.json nor a manifest.json; a root file system is for `import`.",
  });
}

function readRequired(files: Files, name: string): Buffer {
  const path = files(name);
  if (path !== undefined) return readFileSync(path);
  throw new TsrunError("IMAGE_INVALID", `the archive lacks "${name}"`, {
    hint: "It is not whole.",
  });
}

async function loadLayout(
  store: ImageStore,
  files: Files,
  { platform = hostPlatform(), names = true, ...options }: LoadOptions,
): Promise<readonly StoredImage[]> {
  const index = parseManifest(readRequired(files, "index.json"), MEDIA_TYPES.index);
  if (index.kind !== "index") throw new TsrunError("IMAGE_INVALID", "its index.json is no index");
  const loaded: StoredImage[] = [];
  for (const member of index.members) {
    const name = names ? nameIn(member) : undefined;
    const { mediaType, bytes } = readMember(files, member, platform);
    const image = await fetchImage(store, { mediaType, bytes }, blobsOf(files), {
      ...options,
      ...(name === undefined ? {} : { name }),
    });
    loaded.push(image);
  }
  return loaded;
}

/** docker and containerd write the whole name beside what may be only a tag. */
function nameIn({ annotations = {} }: IndexMember): string | undefined {
  const text =
    annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
  try {
    return text === undefined ? undefined : formatReference(parseReference(text));
  } catch (error) {
    if (error instanceof TsrunError) return undefined; // a word that only its maker understands
    throw error;
  }
}

function blobPath(digest: string): string {
  return `blobs/sha256/${hexOf(checkDigest(digest, "the index"))}`;
}

/** The manifest that an index's entry leads to, through an index of platforms perhaps. */
function readMember(files: Files, member: Descriptor, platform: Platform) {
  const bytes = readRequired(files, blobPath(member.digest));
  if (digestOf(bytes) !== member.digest) throw wrongDigest(member.digest);
  const parsed = parseManifest(bytes, member.mediaType);
  if (parsed.kind === "manifest") return { mediaType: parsed.manifest.mediaType, bytes };
  const chosen = chooseMember(parsed.members, platform);
  const inner = readRequired(files, blobPath(chosen.digest));
  if (digestOf(inner) !== chosen.digest) throw wrongDigest(chosen.digest);
  return { mediaType: chosen.mediaType, bytes: inner };
}

function wrongDigest(digest: string): TsrunError {
  return new TsrunError("IMAGE_INVALID", `"${blobPath(digest)}" has other contents than its name`, {
    hint: "The archive is damaged.",
  });
}

function blobsOf(files: Files): BlobSource {
  return async function* read(descriptor, { offset, hash }) {
    const name = blobPath(descriptor.digest);
    const path = files(name);
    if (path === undefined) throw new TsrunError("IMAGE_INVALID", `the archive lacks "${name}"`);
    let size = offset;
    for await (const chunk of createReadStream(path, { start: offset, highWaterMark: 1 << 18 })) {
      const bytes = chunk as Uint8Array;
      size += bytes.length;
      hash.update(bytes);
      yield bytes;
    }
    const found = `sha256:${hash.digest("hex")}`;
    if (size !== descriptor.size || found !== descriptor.digest) {
      throw wrongDigest(descriptor.digest);
    }
  };
}

interface DockerImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

function parseDockerManifest(bytes: Buffer): readonly DockerImage[] {
  try {
    const images = JSON.parse(bytes.toString("utf8")) as readonly DockerImage[];
    const sound = images.every(
      ({ Config, Layers }) => typeof Config === "string" && Array.isArray(Layers),
    );
    if (sound) return images;
  } catch {
    // What follows says it.
  }
  throw new TsrunError("IMAGE_INVALID", "the archive's manifest.json is not docker's", {
    hint: "It is damaged, or no image archive.",
  });
}

async function loadDockerArchive(
  store: ImageStore,
  files: Files,
  options: LoadOptions,
): Promise<readonly StoredImage[]> {
  const loaded: StoredImage[] = [];
  for (const described of parseDockerManifest(readRequired(files, "manifest.json"))) {
    loaded.push(await loadDockerImage(store, files, described, options));
  }
  return loaded;
}

async function loadDockerImage(
  store: ImageStore,
  files: Files,
  { Config, RepoTags, Layers }: DockerImage,
  { signal, limits }: LoadOptions,
): Promise<StoredImage> {
  const config = { mediaType: MEDIA_TYPES.config, bytes: readRequired(files, Config) };
  using work = await claimWork(store);
  const added: AddedLayer[] = [];
  for (const [at, name] of Layers.entries()) {
    const path = files(name);
    if (path === undefined) throw new TsrunError("IMAGE_INVALID", `the archive lacks "${name}"`);
    added.push(
      await addLayer(work, createReadStream(path), {
        name: `layer-${at}`,
        ...(signal ? { signal } : {}),
        ...(limits ? { limits } : {}),
      }),
    );
  }
  const descriptors = added.map(({ descriptor }) => descriptor);
  const manifest = composeManifest(config, descriptors);
  const parsed = parseManifest(manifest.bytes, manifest.mediaType);
  if (parsed.kind !== "manifest") throw new Error("a manifest was composed");
  const { rootfs } = parseImageConfig(config.bytes, parsed.manifest);
  checkDiffIds(rootfs.diff_ids, added);
  return store.locked(() => {
    keepLayers(store, added);
    const names = (RepoTags ?? []).map((tag) => formatReference(parseReference(tag)));
    const [first, ...others] = names;
    let image = store.put({ ...(first === undefined ? {} : { name: first }), manifest, config });
    for (const name of others) image = store.put({ name, manifest, config });
    return image;
  });
}

function checkDiffIds(expected: readonly string[], added: readonly AddedLayer[]): void {
  const wrong = added.find(({ layer }, at) => layer.diffId !== expected[at]);
  if (!wrong) return;
  throw new TsrunError("IMAGE_INVALID", `a layer unpacks to ${wrong.layer.diffId}`, {
    hint: "The archive's configuration says another: one of the two was changed.",
  });
}

function keepLayers(store: ImageStore, added: readonly AddedLayer[]): void {
  const chain = chainIds(added.map(({ layer }) => layer.diffId));
  const below: string[] = [];
  for (const [at, one] of added.entries()) {
    const chainId = chain[at] ?? one.layer.diffId;
    below.unshift(keepAddedLayer(store, one, { chainId, below }));
  }
}
