/**
 * What of a container's record its clone has, too, and what is the clone's own.
 */
import type { ContainerConfig } from "../records.ts";
import type { ContainerRequest, MountRequest, RootMode } from "../request.ts";

/**
 * The original's request. A clone has a host name of its own: where the original was given one, its name;
 * else, as every container, its id.
 */
export function cloneRequest(
  { request }: ContainerConfig,
  { name, rootMode = request.rootMode }: { readonly name?: string; readonly rootMode?: RootMode },
): ContainerRequest {
  const { name: _name, hostname, rootMode: _mode, mounts, ...others } = request;
  return {
    ...others,
    ...(mounts ? { mounts: mounts.map(withOwnVolume) } : {}),
    ...(name === undefined ? {} : { name }),
    ...(hostname === undefined || name === undefined ? {} : { hostname: hostnameFor(name) }),
    ...(rootMode === undefined ? {} : { rootMode }),
  };
}

/** Volumes with a name are shared; one that was made for the original alone is made for the clone, too. */
function withOwnVolume(mount: MountRequest): MountRequest {
  if (mount.type !== "volume" || !mount.anonymous) return mount;
  const { name: _name, anonymous: _anonymous, ...others } = mount;
  return others;
}

/** Names may have "_" and ".", host names only letters, digits and "-" between dots. */
function hostnameFor(name: string): string {
  const labels = name
    .replaceAll("_", "-")
    .split(".")
    .map((label) => label.replace(/^-+|-+$/g, ""))
    .filter((label) => label !== "");
  return labels
    .join(".")
    .slice(0, HOSTNAME_MAX)
    .replace(/[-.]+$/, "");
}

/** linux/include/uapi/linux/utsname.h: __NEW_UTS_LEN. */
const HOSTNAME_MAX = 64;
const HOSTNAME = /^HOSTNAME=/;

/** As it was resolved for the original, with the clone's own host name in it. */
export function cloneProcess(
  original: ContainerConfig,
  draft: ContainerConfig,
): ContainerConfig["process"] {
  const own = draft.process.env.find((entry) => HOSTNAME.test(entry));
  const env = original.process.env.map((entry) =>
    own !== undefined && HOSTNAME.test(entry) ? own : entry,
  );
  return { ...original.process, env };
}
