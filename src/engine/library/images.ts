import type { Writable } from "node:stream";
import type {
  ImportOptions,
  LoadOptions,
  NameVersion,
  PrunedImages,
  PullOptions,
  PushedImage,
  PushOptions,
  SaveFormat,
  StoredImage,
} from "../../images/index.ts";
import * as engine from "../images.ts";
import type { ContainerRequest } from "../request.ts";
import { engineFor, type StoreOptions } from "./options.ts";

/** Images, as `tsrun image`, `pull` and `push` have them. REF is a name, an id or the beginning of an id. */
export const images = {
  /**
   * From a registry: "HOST/NAME:TAG", or a name that registries.conf completes. Throws NOT_FOUND,
   * REGISTRY_DENIED, REGISTRY_UNAVAILABLE, IMAGE_INVALID, NO_SPACE, ABORTED.
   */
  pull: (name: string, options: PullOptions & StoreOptions = {}): Promise<StoredImage> =>
    engine.pullImage(engineFor(options), name, options),

  /** Throws NOT_FOUND, REGISTRY_DENIED, REGISTRY_UNAVAILABLE. */
  push: (
    ref: string,
    destination: string,
    options: PushOptions & StoreOptions = {},
  ): Promise<PushedImage> => engine.pushImage(engineFor(options), ref, destination, options),

  /** A directory with a root file system, or a tar archive of one, as an image of one layer. Throws IMAGE_INVALID. */
  import: (
    source: string,
    name: string,
    options: ImportOptions & StoreOptions = {},
  ): Promise<StoredImage> => engine.importImage(engineFor(options), source, name, options),

  /** The images of an archive that save, podman or docker wrote, or of an OCI layout. Throws IMAGE_INVALID. */
  load: (
    source: string,
    options: LoadOptions & StoreOptions = {},
  ): Promise<readonly StoredImage[]> => engine.loadImages(engineFor(options), source, options),

  /** To a stream, which is not ended, or to a directory as an OCI layout. */
  save: (
    refs: readonly string[],
    to: { readonly format: SaveFormat; readonly output: Writable } | { readonly directory: string },
    options: StoreOptions = {},
  ): Promise<void> => engine.saveImages(engineFor(options), refs, to),

  list: (options: StoreOptions = {}): readonly StoredImage[] =>
    engine.listImages(engineFor(options)),

  /** Throws NOT_FOUND, AMBIGUOUS_NAME. */
  inspect: (ref: string, options: StoreOptions = {}): StoredImage =>
    engine.inspectImage(engineFor(options), ref),

  tag: (ref: string, name: string, options: StoreOptions = {}): Promise<void> =>
    engine.tagImage(engineFor(options), ref, name),

  /** A name, and with the last one the image. Throws WRONG_STATE if a container stands on it. */
  remove: async (ref: string, options: StoreOptions = {}): Promise<void> => {
    await engine.removeImage(engineFor(options), ref);
  },

  /** What a name points to and has pointed to, the newest first. */
  versions: (name: string, options: StoreOptions = {}): readonly NameVersion[] =>
    engine.listImageVersions(engineFor(options), name),

  /** Lets a name point to one of its versions again; without one to the one before the current. */
  promote: (name: string, version?: number, options: StoreOptions = {}): Promise<NameVersion> =>
    engine.promoteImage(engineFor(options), name, version),

  /** Removes what nothing needs. */
  prune: (options: engine.PruneOptions & StoreOptions = {}): Promise<PrunedImages> =>
    engine.pruneImages(engineFor(options), options),
};

/** When an image comes from a registry, and how. */
export interface PullChoice {
  /**
   * Without it an image has to be there, or NOT_FOUND: a program says itself when the network is used.
   * "missing" is what the command line does.
   */
  readonly pull?: engine.PullPolicy | (PullOptions & { readonly policy: engine.PullPolicy });
}

/** The request with an image that is there. */
export function bringImage(
  options: StoreOptions,
  request: ContainerRequest,
  { pull = "never" }: PullChoice,
  signal?: AbortSignal,
): Promise<ContainerRequest> | ContainerRequest {
  if (pull === "never") return request; // looked for once, with the container
  const how = typeof pull === "string" ? { policy: pull } : pull;
  return engine.prepareImage(engineFor(options), request, {
    ...(signal ? { signal } : {}),
    ...how,
  });
}
