/**
 * What is kept of a volume, and where:
 *
 *     ROOT/volumes/NAME/volume.json   VolumeRecord
 *     ROOT/volumes/NAME/_data         what is in it; where it is a file system of its own, mounted here
 *                                     while a container uses it
 *     ROOT/volumes/NAME/disk.img      where it has a size, the file system that is mounted on _data
 *     ROOT/volumes/.new-*, .old-*     one that is just being made or removed
 *
 * A volume exists from the renaming of its whole directory to its name, until the directory is renamed
 * away. Its lock is an flock on its directory: shared by whoever needs it to stay, exclusive to change it.
 */
import { TsrunError } from "../base/errors.ts";

/**
 * Whether a new volume still has to get what the image has at its place: `started` means that it was
 * being filled, and what is in it is half of that.
 */
export type CopyUpState = "pending" | "started" | "done";

export interface VolumeRecord {
  readonly version: 1;
  readonly name: string;
  readonly driver: "local";
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What `volume create --opt` said: type, device, o. */
  readonly options: Readonly<Record<string, string>>;
  /** Made for one container that did not name it. */
  readonly anonymous: boolean;
  readonly copyUp: CopyUpState;
}

export interface VolumePaths {
  readonly dir: string;
  readonly record: string;
  readonly data: string;
  /** Where the volume has a size: its file system, as a file. */
  readonly image: string;
}

export function volumesDirectory(root: string): string {
  return `${root}/volumes`;
}

export function volumePaths(root: string, name: string): VolumePaths {
  const dir = `${volumesDirectory(root)}/${name}`;
  return { dir, record: `${dir}/volume.json`, data: `${dir}/_data`, image: `${dir}/disk.img` };
}

/** Throws STORE_UNAVAILABLE for what is no record of this volume. */
export function parseRecord(text: string, name: string, path: string): VolumeRecord {
  let record: VolumeRecord | null;
  try {
    record = JSON.parse(text) as VolumeRecord | null;
  } catch (error) {
    throw damaged(path, error);
  }
  if (record?.version !== 1 || record.name !== name) throw damaged(path, undefined);
  return record;
}

function damaged(path: string, cause: unknown): TsrunError {
  return new TsrunError("STORE_UNAVAILABLE", `the record "${path}" is damaged`, {
    cause,
    hint: "Save what is in _data beside it, remove the directory, and make the volume anew.",
  });
}
