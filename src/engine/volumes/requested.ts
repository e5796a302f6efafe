/**
 * The volumes that a container's request speaks of. Pure.
 */
import { posix } from "node:path";
import { parseVolumeName } from "../../volumes/index.ts";
import type { ContainerRequest, MountRequest } from "../request.ts";

export type VolumeMount = Extract<MountRequest, { readonly type: "volume" }> & {
  readonly name: string;
};

/** Of a container's own record, in which every volume has its name. */
export function volumeMounts({ mounts = [] }: ContainerRequest): readonly VolumeMount[] {
  return mounts.filter((mount): mount is VolumeMount => mount.type === "volume");
}

/** Each once, in the order in which they are locked. */
export function volumeNames(request: ContainerRequest): readonly string[] {
  return [...new Set(volumeMounts(request).map(({ name }) => name))].sort();
}

/**
 * The request with a name for each volume, and with those that the image declares where nothing else is
 * mounted. Throws INVALID_ARGUMENT for what is no volume's name.
 */
export function nameVolumes(
  request: ContainerRequest,
  declared: readonly string[],
  newName: () => string,
): ContainerRequest {
  const mounts = (request.mounts ?? []).map((mount) => nameVolume(mount, newName));
  const taken = new Set(mounts.map(({ target }) => normalized(target)));
  const added = request.imageVolumes === "ignore" ? [] : declared.map(normalized);
  for (const target of new Set(added)) {
    if (target === "/" || taken.has(target)) continue;
    mounts.push(
      request.imageVolumes === "tmpfs"
        ? { type: "tmpfs", target }
        : { type: "volume", name: newName(), anonymous: true, target },
    );
  }
  return mounts.length === 0 ? request : { ...request, mounts };
}

function nameVolume(mount: MountRequest, newName: () => string): MountRequest {
  if (mount.type !== "volume") return mount;
  if (mount.name === undefined) return { ...mount, name: newName(), anonymous: true };
  return { ...mount, name: parseVolumeName(mount.name) };
}

function normalized(target: string): string {
  return posix.normalize(`/${target}`).replace(/(?<=.)\/+$/, "");
}
