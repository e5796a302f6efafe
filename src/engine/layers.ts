/**
 * Which directories a container's root consists of: its own writable layer, the frozen ones below it, the
 * image's. A frozen layer stays where it was written, in the directory of the container that wrote it, so
 * that freezing moves nothing: the record says from then on that it is not the current one.
 */
import { dirname } from "node:path";
import type { Upper } from "../overlay/index.ts";
import { containersDirectory, type Engine } from "./engine.ts";
import type { ContainerConfig, ContainerId, ContainerLayers, FrozenLayer } from "./records.ts";
import type { RootMode } from "./request.ts";

const NO_LAYERS: ContainerLayers = { current: 0, frozen: [], snapshots: [] };

export function layersOf(config: Pick<ContainerConfig, "layers">): ContainerLayers {
  return config.layers ?? NO_LAYERS;
}

/** The record with these layers. */
export function withLayers(config: ContainerConfig, layers: ContainerLayers): ContainerConfig {
  return { ...config, version: 2, layers };
}

export function rootModeOf({ request }: Pick<ContainerConfig, "request">): RootMode {
  return request.rootMode ?? "private";
}

/** The container's writable layer; undefined where it is in memory, or the root is no overlay. */
export function currentUpper(
  engine: Pick<Engine, "root">,
  config: ContainerConfig,
): Upper | undefined {
  if (!config.image || rootModeOf(config) === "ephemeral") return undefined;
  return upperPaths(engine, ownLayer(config, layersOf(config).current));
}

/** A layer of the container itself. */
export function ownLayer(
  { id, request }: Pick<ContainerConfig, "id" | "request">,
  number: number,
): FrozenLayer {
  return { container: id, number, ...(request.disk ? { disk: true } : {}) };
}

export function upperPaths(
  engine: Pick<Engine, "root">,
  { container, number, disk }: FrozenLayer,
): Upper {
  const suffix = number === 0 ? "" : `.${number}`;
  const dir = `${containersDirectory(engine)}/${container}${disk ? "/disk" : ""}`;
  return { dir: `${dir}/upper${suffix}`, work: `${dir}/work${suffix}` };
}

export function layerPath(engine: Pick<Engine, "root">, layer: FrozenLayer): string {
  return upperPaths(engine, layer).dir;
}

/** Where the container's own layers lie. */
export function layersDirectory(engine: Pick<Engine, "root">, config: ContainerConfig): string {
  return dirname(layerPath(engine, ownLayer(config, 0)));
}

/** The directories below the writable layer, uppermost first. */
export function lowerDirectories(
  engine: Pick<Engine, "root">,
  config: ContainerConfig,
): readonly string[] {
  const frozen = layersOf(config).frozen.map((layer) => layerPath(engine, layer));
  return [...frozen, ...(config.image?.layers ?? [])];
}

const UPPER = /^upper(?:\.(\d+))?$/;
const OTHER = /^(?:work(?:\.\d+)?|.+\.gone)$/;

/** What a name in a container's directory is: a layer by its number, rubbish of layers, or neither. */
export function layerOfName(
  container: ContainerId,
  name: string,
): FrozenLayer | "rest" | undefined {
  const match = UPPER.exec(name);
  if (match) return { container, number: Number(match[1] ?? 0) };
  return OTHER.test(name) ? "rest" : undefined;
}

/** What lies on top of the image, uppermost first; undefined where it is in memory, or there is no image. */
export function changedDirectories(
  engine: Engine,
  config: ContainerConfig,
): readonly string[] | undefined {
  const upper = currentUpper(engine, config);
  if (!upper) return undefined;
  const frozen = layersOf(config).frozen.map((layer) => layerPath(engine, layer));
  return [upper.dir, ...frozen];
}
