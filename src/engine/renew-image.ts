/**
 * Which image a container begins from. One whose root is made anew at each start takes what its image's
 * name points to by then: after a pull, promote or rollback a restart is the new version. One that keeps
 * its changes keeps what they were made on.
 */
import { hostname } from "node:os";
import { findName, ImageStore, resolveImage } from "../images/index.ts";
import { containerHostname, resolveProcess } from "./bundle/process.ts";
import { isGone } from "./container.ts";
import type { Engine } from "./engine.ts";
import { layersOf, rootModeOf } from "./layers.ts";
import type { ContainerConfig } from "./records.ts";
import { type ResolvedRoot, resolveRoot } from "./root.ts";
import { writeConfig } from "./store/config.ts";

/** Records what has changed. The caller holds the container's lock, and it does not run. */
export function renewImage(engine: Engine, config: ContainerConfig): ContainerConfig {
  const root = currentRoot(engine, config);
  if (!root?.image || root.image.id === config.image?.id) return config;
  const renewed = composeRenewed(config, root, labelsOf(engine, config));
  writeConfig(engine, renewed);
  return renewed;
}

/** undefined where the container does not follow a name. */
function currentRoot(engine: Engine, config: ContainerConfig): ResolvedRoot | undefined {
  const { image, request } = config;
  if (!image || request.image === undefined || rootModeOf(config) === "private") return undefined;
  if (layersOf(config).frozen.length > 0) return undefined;
  const store = new ImageStore(engine.root);
  if (findName(store, request.image) === undefined) return undefined;
  return resolveRoot(engine, request);
}

function labelsOf(engine: Engine, { image }: ContainerConfig): Readonly<Record<string, string>> {
  try {
    const former = resolveImage(new ImageStore(engine.root), image?.id ?? "");
    return former.config.config?.Labels ?? {};
  } catch (error) {
    if (isGone(error)) return {};
    throw error;
  }
}

/** What was asked for stays, what came from the former image comes from the new one. Pure, but for the host's name. */
function composeRenewed(
  config: ContainerConfig,
  root: ResolvedRoot,
  former: Readonly<Record<string, string>>,
): ContainerConfig {
  const asked = Object.entries(config.request.labels ?? {}).filter(
    ([key, value]) => former[key] !== value,
  );
  const request = {
    ...config.request,
    labels: { ...root.labels, ...Object.fromEntries(asked) },
  };
  const ownHostname = containerHostname(request, config.id, hostname());
  return {
    ...config,
    request,
    ...(root.image ? { image: root.image } : {}),
    process: resolveProcess(request, root.defaults, { hostname: ownHostname }),
  };
}
