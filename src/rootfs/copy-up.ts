/**
 * tmpcopyup: a new tmpfs that begins with what the image has at its mount point. It is mounted nowhere
 * when it is filled, before the launch; the stage attaches it like any other mount.
 */
import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import {
  AT_FDCWD,
  fsconfig,
  fsMessages,
  fsmount,
  fsopen,
  KernelError,
  openTree,
} from "../ffi/index.ts";
import { type OciMount, type OciSpec, overlayParameters, type RootMount } from "../spec/index.ts";
import { copyDirectory, isEmpty, openDirectoryInRoot } from "./copy-directory.ts";
import { AT_RECURSIVE, OPEN_TREE_CLONE } from "./flags.ts";
import { containerIdMaps, hostId, type IdMaps, requireContainerMaps } from "./id-maps.ts";
import { parseMountOptions } from "./mount-options.ts";

/** A filled tmpfs as an open, detached mount; "plain" where the image has nothing to copy. */
export type PreparedMount = number | "plain";

/**
 * What the specification's tmpcopyup mounts need, by index. The caller closes the descriptors.
 * Throws NO_SPACE for a tmpfs that is smaller than what belongs in it.
 */
export function createCopiedUpMounts(
  spec: Pick<OciSpec, "mounts" | "linux">,
  root: RootMount,
): ReadonlyMap<number, PreparedMount> {
  const prepared = new Map<number, PreparedMount>();
  const wanted = [...spec.mounts.entries()].filter(([, { options = [] }]) =>
    options.includes("tmpcopyup"),
  );
  if (wanted.length === 0) return prepared;
  using undo = new UndoStack();
  const view = openForReading(root);
  try {
    for (const [index, mount] of wanted) {
      const made = createCopiedUpTmpfs(view, mount, { spec, root, origin: `mounts[${index}]` });
      if (made !== "plain") undo.defer(() => closeSync(made));
      prepared.set(index, made);
    }
  } finally {
    closeSync(view);
  }
  undo.keep();
  return prepared;
}

interface CopyUpPlace {
  readonly spec: Pick<OciSpec, "linux">;
  readonly root: RootMount;
  readonly origin: string;
}

function createCopiedUpTmpfs(view: number, mount: OciMount, place: CopyUpPlace): PreparedMount {
  const source = openDirectoryInRoot(view, mount.destination);
  if (source === undefined) return "plain";
  try {
    if (isEmpty(source)) return "plain";
    const { data } = parseMountOptions(mount.options ?? [], place.origin);
    const filled = mountTmpfs(data, mount, place);
    try {
      // The files of an id-mapped root have the image's ids; a tmpfs of the host's has the host's.
      const maps = place.root.idMapped ? requireContainerMaps(place.spec, place.origin) : undefined;
      copyDirectory(source, filled, maps);
      return filled;
    } catch (cause) {
      closeSync(filled);
      throw explained(cause, mount, place.origin);
    }
  } finally {
    closeSync(source);
  }
}

function explained(cause: unknown, { destination }: OciMount, origin: string): unknown {
  if (!hasErrno(cause, "ENOSPC")) return cause;
  return new TsrunError(
    "NO_SPACE",
    `${origin}: what the image has in "${destination}" does not fit into the tmpfs`,
    { origin, cause, errno: "ENOSPC", hint: "Give it a larger size=, or the option notmpcopyup." },
  );
}

/** Its options' ids are the container's, and it is mounted by the host. */
function mountTmpfs(options: readonly string[], mount: OciMount, place: CopyUpPlace): number {
  const maps = containerIdMaps(place.spec);
  const fs = fsopen("tmpfs");
  try {
    fsconfig(fs, { kind: "string", key: "source", value: mount.source ?? "tmpfs" });
    for (const option of withOwners(options, maps)) {
      const at = option.indexOf("=");
      const [key, value] = at === -1 ? [option] : [option.slice(0, at), option.slice(at + 1)];
      fsconfig(fs, value === undefined ? { kind: "flag", key } : { kind: "string", key, value });
    }
    fsconfig(fs, { kind: "create" });
    return fsmount(fs);
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    const said = fsMessages(fs).join("; ");
    throw new TsrunError(
      "INVALID_SPEC",
      `${place.origin}: cannot mount the tmpfs on "${mount.destination}": ${said === "" ? cause.errno : said}`,
      { origin: place.origin, cause, errno: cause.errno },
    );
  } finally {
    closeSync(fs);
  }
}

/** uid= and gid= as the host counts them; root's where they are not given. */
function withOwners(options: readonly string[], maps: IdMaps | undefined): readonly string[] {
  if (!maps) return options;
  const given = (key: string) => options.findLast((option) => option.startsWith(`${key}=`));
  const id = (key: string) => Number(given(key)?.slice(key.length + 1) ?? 0);
  return [
    ...options.filter((option) => !/^[ug]id=/.test(option)),
    `uid=${hostId(id("uid"), maps.uids)}`,
    `gid=${hostId(id("gid"), maps.gids)}`,
  ];
}

/**
 * The root, read-only and attached nowhere. The upper is just the topmost layer: mounted as an upper it
 * would be synced when it is closed, and a volatile one could not be mounted again.
 */
function openForReading(root: RootMount): number {
  const layers = layersOf(root);
  const [only] = layers;
  if (layers.length === 1 && only !== undefined) {
    return openTree(AT_FDCWD, only, OPEN_TREE_CLONE | AT_RECURSIVE);
  }
  const fs = fsopen("overlay");
  try {
    for (const { key, value } of readableParameters(fs, layers)) {
      fsconfig(fs, { kind: "string", key, value });
    }
    fsconfig(fs, { kind: "create" });
    return fsmount(fs);
  } catch (cause) {
    throw new TsrunError("OVERLAY_UNSUPPORTED", "cannot read the container's layers", {
      origin: "root.path",
      hint: `The kernel says: ${fsMessages(fs).join("; ")}`,
      cause,
    });
  } finally {
    closeSync(fs);
  }
}

function layersOf(root: RootMount): readonly string[] {
  if (root.kind === "bind") return [root.path];
  const layers = root.upper ? [root.upper.dir, ...root.lower] : root.lower;
  // What carries the upper is not mounted yet; as a rule it is a tmpfs with nothing in it.
  const { carrier } = root;
  return carrier ? layers.filter((path) => !path.startsWith(`${carrier.at}/`)) : layers;
}

/** "lowerdir+" is asked of this very context: it takes the first layer, or is unknown before Linux 6.7. */
function readableParameters(
  fs: number,
  layers: readonly string[],
): readonly { readonly key: string; readonly value: string }[] {
  const parameters = (append: boolean) =>
    overlayParameters({ lower: layers, options: [] }, { append }).map(({ key, value = "" }) => ({
      key,
      value,
    }));
  const [first, ...rest] = parameters(true);
  try {
    if (first) fsconfig(fs, { kind: "string", ...first });
    return rest;
  } catch (error) {
    if (!hasErrno(error, "EINVAL")) throw error;
    return parameters(false);
  }
}
