/**
 * What a backup says of itself, as types, and parsed: whoever made the archive may have meant harm. Pure.
 */
import { TsrunError } from "../../base/errors.ts";
import type { CopyUpState, VolumeRecord } from "../../volumes/index.ts";
import { checkRequest } from "../bundle/request.ts";
import { isContainerId } from "../container-id.ts";
import type { ContainerConfig, FrozenLayer } from "../records.ts";
import { decodeConfig, encodeConfig } from "../store/config.ts";
import { type Digests, damaged } from "./archive.ts";

/** The first thing in the archive. */
export interface BackupHeader {
  readonly version: 1;
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The backup that this one says the changes since. */
  readonly base?: string;
}

/** What comes before a tree's contents. */
export interface TreeHeader {
  /** A layer (layerKey), or a volume ("volume NAME"). */
  readonly name: string;
  readonly kind: "layer" | "volume";
  /** Paths that are gone since the base, one character a byte. */
  readonly removed: readonly string[];
}

export interface BackupManifest extends BackupHeader {
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly container: ContainerConfig;
  /** Names of the trees that the container consists of. */
  readonly trees: readonly string[];
  readonly volumes: readonly VolumeRecord[];
  /** Whether the image is in the archive. */
  readonly withImage: boolean;
}

export function layerKey({ container, number }: FrozenLayer): string {
  return `layer ${container}.${number}`;
}

export function volumeKey(name: string): string {
  return `volume ${name}`;
}

export function encodeManifest(manifest: BackupManifest, digests: Digests): string {
  const { container, ...rest } = manifest;
  return JSON.stringify({ ...rest, container: encodeConfig(container), digests }, undefined, 1);
}

/** Throws IMAGE_INVALID. */
export function parseHeader(text: string, file: string): BackupHeader {
  const header = parseObject(text, file) as Partial<BackupHeader>;
  if (header.version !== 1) throw damaged(file, "was made by a newer tsrun");
  if (!isBackupId(header.id) || (header.base !== undefined && !isBackupId(header.base))) {
    throw damaged(file, "has no id");
  }
  return { version: 1, id: header.id, ...(header.base ? { base: header.base } : {}) };
}

export function isBackupId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

const TREE_NAME = /^(?:layer [0-9a-f]{64}\.\d{1,9}|volume [a-zA-Z0-9][a-zA-Z0-9_.-]{0,254})$/;

export function parseTreeHeader(text: string, file: string): TreeHeader {
  const { name, kind, removed } = parseObject(text, file) as Partial<TreeHeader>;
  const fits = typeof name === "string" && TREE_NAME.test(name) && name.startsWith(`${kind} `);
  if (!fits || !isTexts(removed)) throw damaged(file, "has a tree that it does not describe");
  return { name, kind: kind as TreeHeader["kind"], removed };
}

/** Throws IMAGE_INVALID for what cannot be a container of tsrun's. */
export function parseManifest(
  text: string,
  file: string,
): { readonly manifest: BackupManifest; readonly digests: Digests } {
  const value = parseObject(text, file) as Record<string, unknown>;
  const { digests, createdAt, trees, volumes, withImage } = value;
  if (!isDigests(digests)) throw damaged(file, "has a manifest without digests");
  if (!isTexts(trees) || !Array.isArray(volumes) || !volumes.every(isVolumeRecord)) {
    throw damaged(file, "has a manifest that is not complete");
  }
  const manifest: BackupManifest = {
    ...parseHeader(text, file),
    createdAt: String(createdAt),
    container: parseContainer(value["container"], file),
    trees,
    volumes,
    withImage: withImage === true,
  };
  return { manifest, digests };
}

function parseContainer(value: unknown, file: string): ContainerConfig {
  if (typeof value !== "string") throw damaged(file, "has no container");
  try {
    const config = decodeConfig(value, file);
    checkContainer(config);
    return config;
  } catch (error) {
    // Whatever a field is that is not what it should be.
    if (!(error instanceof TsrunError) && !(error instanceof TypeError)) throw error;
    throw damaged(file, `has a container that cannot be: ${error.message}`, error);
  }
}

function checkContainer({ name, request, process, image, layers }: ContainerConfig): void {
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(name)) throw new TypeError("its name");
  checkRequest(request);
  if (request.rootfs !== undefined || !image) throw new TypeError("it has no image");
  if (!isTexts(process.args) || !isTexts(process.env)) throw new TypeError("its command");
  if (![process.cwd, process.user, process.stopSignal].every(isText))
    throw new TypeError("its user");
  if (!/^(sha256:)?[0-9a-f]{64}$/.test(image.id)) throw new TypeError("its image");
  const { current = 0, frozen = [], snapshots = [] } = layers ?? {};
  const all = [...frozen, ...snapshots.flatMap((snapshot) => snapshot.frozen)];
  if (!Number.isSafeInteger(current) || !all.every(isFrozenLayer))
    throw new TypeError("its layers");
  if (!snapshots.every((snapshot) => isText(snapshot.name))) throw new TypeError("its snapshots");
}

function isFrozenLayer({ container, number }: FrozenLayer): boolean {
  return isContainerId(container) && Number.isSafeInteger(number) && number >= 0;
}

const COPY_UP: readonly CopyUpState[] = ["pending", "started", "done"];

function isVolumeRecord(value: unknown): value is VolumeRecord {
  const { version, name, labels, options, copyUp } = (value ?? {}) as Partial<VolumeRecord>;
  const named = typeof name === "string" && TREE_NAME.test(volumeKey(name));
  const fits = copyUp !== undefined && COPY_UP.includes(copyUp);
  return version === 1 && named && fits && isRecordOfText(labels) && isRecordOfText(options);
}

function isDigests(value: unknown): value is Digests {
  return isRecordOfText(value);
}

function isRecordOfText(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every(isText);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function parseObject(text: string, file: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw damaged(file, "has a part that is no JSON");
}
