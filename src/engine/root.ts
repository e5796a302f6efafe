/**
 * What becomes a container's "/": an image's layers below a writable one, or a directory as it is.
 */
import { existsSync, statSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import {
  formatReference,
  ImageStore,
  layerDirectories,
  parseReference,
  resolveImage,
  rootLayer,
  type StoredImage,
} from "../images/index.ts";
import { type OverlayFacts, planOverlay, probeOverlay, type Upper } from "../overlay/index.ts";
import type { OverlayCarrier, RootMount } from "../spec/index.ts";
import type { ImageDefaults } from "./bundle/process.ts";
import { containersDirectory, type Engine, rootMountPoint } from "./engine.ts";
import {
  currentUpper,
  layerPath as layerDirectory,
  layersOf,
  lowerDirectories,
  rootModeOf,
} from "./layers.ts";
import { findMountPoints } from "./mount-points.ts";
import type { ContainerConfig } from "./records.ts";
import type { ContainerRequest } from "./request.ts";

export interface ResolvedRoot {
  readonly image?: NonNullable<ContainerConfig["image"]>;
  readonly defaults: ImageDefaults;
  readonly labels: Readonly<Record<string, string>>;
  /** The directory that says what the image's "/" is like. */
  readonly rootLayer?: string | undefined;
}

/** Throws NOT_FOUND for an image or a directory that is not there. */
export function resolveRoot(engine: Engine, request: ContainerRequest): ResolvedRoot {
  if (request.rootfs !== undefined) {
    checkRootfs(request.rootfs);
    return { defaults: {}, labels: {} };
  }
  const store = new ImageStore(engine.root);
  const image = resolveImage(store, request.image ?? "");
  const defaults = image.config.config ?? {};
  return {
    image: {
      id: image.id,
      reference: imageName(image, request.image ?? ""),
      layers: layerDirectories(store, image),
    },
    defaults,
    labels: defaults.Labels ?? {},
    rootLayer: rootLayer(store, image),
  };
}

/** The whole name that was meant; an image asked for by id is shown with a name that it has. */
function imageName({ names, id }: StoredImage, text: string): string {
  const short = formatReferenceIfName(text);
  return names.find((name) => name === short) ?? names[0] ?? id;
}

function formatReferenceIfName(text: string): string | undefined {
  try {
    return formatReference(parseReference(text));
  } catch (error) {
    if (error instanceof TsrunError) return undefined; // an id that is no name
    throw error;
  }
}

function planRootfs(path: string): RootMount {
  checkRootfs(path);
  return { kind: "bind", path };
}

function checkRootfs(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TsrunError("NOT_FOUND", `the root file system "${path}" is not a directory`, {
    hint: "Name a directory that holds a whole system: bin, etc, usr and so on.",
  });
}

/** Facts about a directory's file system, which does not change while a program runs. */
const overlayFacts = new Map<string, OverlayFacts>();

/**
 * The root of a run. An upper that nobody keeps is mounted without syncs. `idMapped`: the files belong
 * to the container's ids as the image counts them.
 */
export function planRoot(engine: Engine, config: ContainerConfig): RootMount {
  const { request, userns } = config;
  if (request.rootfs !== undefined) return planRootfs(request.rootfs);
  checkLayers(engine, config);
  const upper = currentUpper(engine, config);
  const facts = readOverlayFacts(engine);
  return planOverlay({
    layers: allLowerDirectories(engine, config),
    ...(upper ? { upper } : planInMemory(engine, config)),
    volatile: upper !== undefined && (request.remove === true || request.rootMode === "shared"),
    idMapped: userns !== undefined,
    // An image is an ext4.
    facts: request.disk && !config.quota ? { ...facts, unfitFileSystem: undefined } : facts,
  });
}

/** What a container that does not run shows: of one that changes only memory, the layers below. */
export function planRootAtRest(engine: Engine, config: ContainerConfig): RootMount {
  return rootModeOf(config) === "ephemeral" ? planLower(engine, config) : planRoot(engine, config);
}

/** What its next start begins with, to be read: without what the last run has left in a root that begins clean. */
export function planRootAtStart(engine: Engine, config: ContainerConfig): RootMount {
  const isKept = rootModeOf(config) === "private" || config.request.rootfs !== undefined;
  return isKept ? planRoot(engine, config) : planLower(engine, config);
}

/** The layers below the writable one alone, read-only. */
function planLower(engine: Engine, config: ContainerConfig): RootMount {
  checkLayers(engine, config);
  const layers = allLowerDirectories(engine, config);
  return planOverlay({ layers, facts: readOverlayFacts(engine) });
}

/**
 * All that the container has, to be read alone: a running one's writable layer is not mounted twice, but
 * lies on top as one more layer. What only mounts are mounted on is not in it.
 */
export function planRootToRead(engine: Engine, config: ContainerConfig): RootMount {
  const { rootfs } = config.request;
  if (rootfs !== undefined) return planRootfs(rootfs);
  checkLayers(engine, config);
  const upper = currentUpper(engine, config);
  const lower = lowerDirectories(engine, config);
  const layers = upper ? [upper.dir, ...lower] : lower;
  return planOverlay({ layers, facts: readOverlayFacts(engine) });
}

function allLowerDirectories(engine: Engine, config: ContainerConfig): readonly string[] {
  const layers = lowerDirectories(engine, config);
  const mountPoints = findMountPoints(engine);
  return mountPoints === undefined ? layers : [...layers, mountPoints];
}

function readOverlayFacts(engine: Engine): OverlayFacts {
  let facts = overlayFacts.get(engine.root);
  if (!facts) {
    facts = probeOverlay(containersDirectory(engine));
    overlayFacts.set(engine.root, facts);
  }
  return facts;
}

/** A tmpfs for the changes of this run. Without a size the kernel lets it take half of the memory. */
function planInMemory(
  engine: Engine,
  config: ContainerConfig,
): { readonly upper: Upper; readonly carrier: OverlayCarrier } {
  const at = rootMountPoint(engine);
  const { rootSizeBytes } = config.request;
  const upper = { dir: `${at}/upper`, work: `${at}/work` };
  const below = attributesLayer(engine, config);
  const mode = (below === undefined ? undefined : statSync(below).mode) ?? 0o755;
  return {
    upper,
    carrier: {
      at,
      fstype: "tmpfs",
      source: "tmpfs",
      data: ["mode=0711", ...(rootSizeBytes === undefined ? [] : [`size=${rootSizeBytes}`])].join(),
      directories: [
        { path: upper.dir, mode: mode & 0o1777 },
        { path: upper.work, mode: 0o700 },
      ],
    },
  };
}

/** The directory whose mode and owner a new writable layer takes: what "/" is like without it. */
export function attributesLayer(engine: Engine, config: ContainerConfig): string | undefined {
  const [frozen] = layersOf(config).frozen;
  if (frozen) return layerDirectory(engine, frozen);
  const { image } = config;
  if (!image) return undefined;
  const store = new ImageStore(engine.root);
  const known = store.images().find(({ id }) => id === image.id);
  return known ? rootLayer(store, known) : image.layers[0];
}

function checkLayers(engine: Engine, config: ContainerConfig): void {
  const isMissing = (layer: string) => !existsSync(layer);
  const missing = lowerDirectories(engine, config).find(isMissing);
  if (missing === undefined) return;
  const { image } = config;
  if (!image?.layers.includes(missing)) {
    throw new TsrunError("NOT_FOUND", `a frozen layer of "${config.name}" is gone`, {
      hint: `"${missing}" was removed by hand: restore a snapshot that does without it, or a backup.`,
    });
  }
  throw new TsrunError("NOT_FOUND", `a layer of the image "${image.reference}" is gone`, {
    hint: `"${missing}" was removed by hand: import the image again.`,
  });
}

/** Where the files of a start are to be looked for without a mount, uppermost first. */
export function rootDirectories(engine: Engine, config: ContainerConfig): readonly string[] {
  const { rootfs } = config.request;
  if (rootfs !== undefined) return [rootfs];
  const lower = lowerDirectories(engine, config);
  const upper = rootModeOf(config) === "private" ? currentUpper(engine, config) : undefined;
  return upper ? [upper.dir, ...lower] : lower;
}
