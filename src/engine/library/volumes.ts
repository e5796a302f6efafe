import type { Readable, Writable } from "node:stream";
import * as engine from "../volumes/manage.ts";
import { engineFor, type StoreOptions } from "./options.ts";

/**
 * Named volumes, as `tsrun volume` has them. A volume that a container names in its mounts is made with the
 * container, so `create` is for one with labels or options.
 */
export const volumes = {
  /** Answers its name. Throws NAME_IN_USE, INVALID_ARGUMENT. */
  create: (options: engine.VolumeCreation & StoreOptions = {}): Promise<string> =>
    engine.createVolume(engineFor(options), options),

  /** By name. */
  list: (
    options: StoreOptions & { readonly filters?: engine.VolumeFilters } = {},
  ): readonly engine.VolumeView[] => engine.listVolumes(engineFor(options), options.filters),

  /** Throws NOT_FOUND, AMBIGUOUS_NAME. */
  inspect: (name: string, options: StoreOptions = {}): engine.VolumeView =>
    engine.inspectVolume(engineFor(options), name),

  /** Throws WRONG_STATE, naming them, if containers use it. */
  remove: async (
    name: string,
    options: engine.RemoveVolumeOptions & StoreOptions = {},
  ): Promise<void> => {
    await engine.removeVolume(engineFor(options), name, options);
  },

  /** Removes what no container uses. */
  prune: (
    options: StoreOptions & { readonly filters?: engine.VolumeFilters } = {},
  ): Promise<engine.PrunedVolumes> => engine.pruneVolumes(engineFor(options), options.filters),

  /** Its files as a tar archive; the stream is not ended. */
  export: (name: string, output: Writable, options: StoreOptions = {}): Promise<void> =>
    engine.exportVolume(engineFor(options), name, output),

  /** A tar archive (a stream, or a file's path) unpacked into it. Throws IMAGE_INVALID. */
  import: (name: string, source: string | Readable, options: StoreOptions = {}): Promise<void> =>
    engine.importVolume(engineFor(options), name, source),
};
