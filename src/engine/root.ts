/**
 * What becomes a container's "/": an image's layers below a writable one, or a directory as it is.
 */
import { statSync } from "node:fs";
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
import { type OverlayFacts, planOverlay, probeOverlay } from "../overlay/index.ts";
import type { RootMount } from "../spec/index.ts";
import type { ImageDefaults } from "./bundle/process.ts";
import { containerPaths, type Engine } from "./engine.ts";
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
  const { request, image, id, userns } = config;
  if (request.rootfs !== undefined) {
    checkRootfs(request.rootfs);
    return { kind: "bind", path: request.rootfs };
  }
  const { dir, upper, work } = containerPaths(engine, id);
  const layers = image?.layers ?? [];
  const mountPoints = findMountPoints(engine);
  checkLayers(image);
  let facts = overlayFacts.get(engine.root);
  if (!facts) {
    facts = probeOverlay(dir);
    overlayFacts.set(engine.root, facts);
  }
  return planOverlay({
    layers: mountPoints === undefined ? layers : [...layers, mountPoints],
    upper: { dir: upper, work },
    volatile: request.remove ?? false,
    idMapped: userns !== undefined,
    facts,
  });
}

function checkLayers(image: ContainerConfig["image"]): void {
  const missing = image?.layers.find((layer) => !statSync(layer, { throwIfNoEntry: false }));
  if (missing === undefined) return;
  throw new TsrunError("NOT_FOUND", `a layer of the image "${image?.reference}" is gone`, {
    hint: `"${missing}" was removed by hand: import the image again.`,
  });
}

/** Where the container's files are to be looked for without a mount, uppermost first. */
export function rootDirectories(engine: Engine, config: ContainerConfig): readonly string[] {
  const { rootfs } = config.request;
  if (rootfs !== undefined) return [rootfs];
  return [containerPaths(engine, config.id).upper, ...(config.image?.layers ?? [])];
}
