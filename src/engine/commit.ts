/**
 * A container's changes as an image. They are read from its layers, which a container that runs may be
 * writing to; with `pause` it stands still meanwhile.
 */
import { TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import {
  type CommitImageOptions,
  commitImage,
  formatReference,
  type ImageChange,
  type ImageProcessConfig,
  ImageStore,
  packUpper,
  parseReference,
  resolveImage,
  type StoredImage,
  withEnv,
} from "../images/index.ts";
import { freezeCgroup, thawCgroup } from "../runtime/index.ts";
import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent, recordImageEvent } from "./events/record.ts";
import { packRoot } from "./export.ts";
import { changedDirectories } from "./layers.ts";
import { runOf } from "./pause.ts";
import type { ContainerConfig, ContainerView } from "./records.ts";
import { writeState } from "./store/state.ts";

export interface CommitOptions {
  /** The image's name, which is taken from whatever had it; without one it has only its id. */
  readonly name?: string;
  readonly author?: string;
  readonly message?: string;
  /** Made in this order to the configuration that the container has. */
  readonly changes?: readonly ImageChange[];
  /** Whether a container that runs stands still while it is read. */
  readonly pause?: boolean;
  /** One layer with all that is in the container, instead of more on top of the image's. */
  readonly squash?: boolean;
  /** How the new layer is packed: zstd without it. */
  readonly compression?: "gzip" | "zstd";
  readonly signal?: AbortSignal;
}

/**
 * Stores the image. Throws UNSUPPORTED for a container with --rootfs or an ephemeral root, NO_SPACE,
 * ABORTED; nothing of the image is then left.
 */
export async function commitContainer(
  engine: Engine,
  ref: string,
  options: CommitOptions = {},
): Promise<StoredImage> {
  const name = options.name && formatReference(parseReference(options.name));
  const commit = async (container: ContainerView) => {
    const store = new ImageStore(engine.root);
    const planned = planCommit(engine, store, container.config, options);
    const how = { ...planned, ...(name ? { name } : {}) };
    const image =
      options.pause && container.status === "running"
        ? await whileFrozen(engine, container, () => commitImage(store, how))
        : await commitImage(store, how);
    recordEvent(engine, container.config, "commit");
    recordImageEvent(engine, { id: image.id, name: name || undefined }, "commit");
    return image;
  };
  return withContainer(engine, ref, commit, options.signal);
}

function planCommit(
  engine: Engine,
  store: ImageStore,
  container: ContainerConfig,
  { author, message, changes = [], squash = false, compression, signal }: CommitOptions,
): CommitImageOptions {
  const base = imageOf(store, container);
  const warn = (text: string) => engine.warn(text);
  const config = changes.reduce(
    (changed, change) => change(changed),
    composeImageConfig(container, base.config.config ?? {}),
  );
  return {
    ...(squash ? { like: base } : { base }),
    layers: squash
      ? [() => packRoot(engine, container)]
      : newLayers(engine, container).map((path) => () => packUpper(path, { warn })),
    config,
    step: {
      createdBy: container.process.args.join(" "),
      ...(author === undefined ? {} : { author }),
      ...(message === undefined ? {} : { comment: message }),
    },
    ...(compression ? { compression } : {}),
    ...(signal ? { signal } : {}),
  };
}

function imageOf(store: ImageStore, { image, name }: ContainerConfig): StoredImage {
  if (image) return resolveImage(store, image.id);
  throw new TsrunError("UNSUPPORTED", `the container "${name}" has no image to put changes on`, {
    hint: "Its --rootfs is changed in place: `tsrun image import` makes an image of it.",
  });
}

/** What lies on top of the image, the lowest first. */
function newLayers(engine: Engine, config: ContainerConfig): readonly string[] {
  const changed = changedDirectories(engine, config);
  if (changed) return changed.toReversed();
  throw new TsrunError("UNSUPPORTED", `what "${config.name}" changes is in memory alone`, {
    hint: "Its root is ephemeral: commit a container whose --root-mode is private.",
  });
}

/** The image's configuration as the container has it; what tsrun itself gives to a process is not in it. */
export function composeImageConfig(
  { request }: Pick<ContainerConfig, "request">,
  image: ImageProcessConfig,
): ImageProcessConfig {
  const { Cmd, Entrypoint, ...rest } = image;
  const entrypoint = request.entrypoint ?? Entrypoint;
  // The image's arguments were meant for its own entrypoint.
  const inherited = request.entrypoint === undefined ? Cmd : undefined;
  const command = request.command?.length ? request.command : inherited;
  const config: ImageProcessConfig = {
    ...rest,
    ...(entrypoint?.length ? { Entrypoint: entrypoint } : {}),
    ...(command ? { Cmd: command } : {}),
    ...(request.user === undefined ? {} : { User: request.user }),
    ...(request.workdir === undefined ? {} : { WorkingDir: request.workdir }),
    ...(request.stopSignal === undefined ? {} : { StopSignal: request.stopSignal }),
    ...(Object.keys(request.labels ?? {}).length === 0 ? {} : { Labels: request.labels }),
  };
  const env = Object.entries(request.env ?? {});
  return env.length === 0 ? config : withEnv(env)(config);
}

/** As pause and resume do it, so that a command that is killed leaves what resume can undo. */
export async function whileFrozen<T>(
  engine: Engine,
  container: ContainerView,
  work: () => Promise<T>,
): Promise<T> {
  const { cgroup, state } = runOf(container);
  writeState(engine, { ...state, status: "paused" });
  faultPoint();
  try {
    await freezeCgroup(cgroup);
    faultPoint();
    return await work();
  } finally {
    thawCgroup(cgroup);
    faultPoint();
    writeState(engine, { ...state, status: "running" });
  }
}
