import * as engine from "../backup/backup.ts";
import { type RestoreOptions, restoreBackup } from "../backup/restore.ts";
import { Container } from "./container.ts";
import { engineFor, type StoreOptions } from "./options.ts";

/** Backups of containers, as `tsrun backup` makes them. */
export const backups = {
  /** Writes the container with its volumes and snapshots to `file`; answers the backup's id. */
  create: (
    container: string,
    file: string,
    options: engine.BackupOptions & StoreOptions = {},
  ): Promise<string> => engine.backupContainer(engineFor(options), container, file, options),

  /** A whole backup and those that were made since, in their order; a new container, not started. */
  restore: async (
    files: string | readonly string[],
    options: RestoreOptions & StoreOptions = {},
  ): Promise<Container> => {
    const from = engineFor(options);
    const { id } = await restoreBackup(from, [files].flat(), options);
    return new Container(from, id);
  },

  /** Reads all of it; throws IMAGE_INVALID unless every part is what was saved. */
  read: (file: string): Promise<engine.ReadBackup> => engine.readBackup(file),
};
