/**
 * What a new volume begins with: the owner and mode that the image's directory has at its place, and
 * what is in it. The image's paths are resolved below its root, and every file is made by name below
 * the volume: no link in either leads elsewhere.
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import { faultPoint } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo.ts";
import { chmodAt, chownAt, O_PATH, openInRoot, openRoot, statx } from "../../ffi/index.ts";
import { packBelow, unpackTar } from "../../images/index.ts";
import { openDetachedRoot } from "../../overlay/index.ts";
import type { RootMount } from "../../spec/index.ts";
import {
  type Backing,
  clearVolume,
  planBacking,
  type VolumeRecord,
  volumePaths,
  writeVolume,
} from "../../volumes/index.ts";
import type { Engine } from "../engine.ts";
import type { VolumeMount } from "./requested.ts";

const PERMISSIONS = 0o7777;

/**
 * Fills the volume if it is new, empty and wanted; the caller has its lock, exclusive. One that was
 * killed meanwhile is begun anew. Throws NO_SPACE, and then the volume is empty again.
 */
export async function copyUp(
  engine: Engine,
  record: VolumeRecord,
  { target, copyUp: wanted = true }: VolumeMount,
  root: RootMount,
): Promise<void> {
  const { name, options } = record;
  const { data } = volumePaths(engine.root, name);
  if (record.copyUp === "started") clearVolume(engine.root, name);
  const finish = () => writeVolume(engine.root, { ...record, copyUp: "done" });
  if (readdirSync(data).length > 0) return finish();
  using undo = new UndoStack();
  const source = openImageDirectory(root, target);
  if (source === undefined) return;
  undo.defer(() => closeSync(source));
  if (!hasOwner(planBacking(options))) copyOwner(source, data);
  if (!wanted) return;
  writeVolume(engine.root, { ...record, copyUp: "started" });
  try {
    // Both descriptors are closed by those who take them.
    const archive = packBelow(openInRoot(source, "."), { path: "", name: "" });
    await unpackTar(archive, openRoot(data), { whiteouts: false });
  } catch (cause) {
    clearVolume(engine.root, name);
    writeVolume(engine.root, record);
    throw explained(cause, record, target);
  }
  faultPoint();
  finish();
}

function explained(cause: unknown, { name }: VolumeRecord, target: string): unknown {
  if (!(cause instanceof TsrunError) || cause.code !== "NO_SPACE") return cause;
  return new TsrunError(
    "NO_SPACE",
    `what the image has in "${target}" does not fit into the volume "${name}"`,
    { cause, hint: "Free some space, or give the mount the option nocopy." },
  );
}

function hasOwner(backing: Backing): boolean {
  return backing.kind === "directory" && (backing.uid ?? backing.gid) !== undefined;
}

function copyOwner(source: number, data: string): void {
  const { uid, gid, mode } = statx(source, "");
  const fd = openRoot(data);
  try {
    chownAt(fd, "", uid, gid);
    chmodAt(fd, "", mode & PERMISSIONS);
  } finally {
    closeSync(fd);
  }
}

/** undefined if the image has no directory there. */
function openImageDirectory(root: RootMount, target: string): number | undefined {
  const view = openDetachedRoot(readOnly(root));
  try {
    return openInRoot(view, target, { flags: O_PATH | constants.O_DIRECTORY });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  } finally {
    closeSync(view);
  }
}

/** The upper is just the topmost layer: mounted as an upper it would be synced when it is closed. */
function readOnly(root: RootMount): RootMount {
  if (root.kind === "bind" || !root.upper) return root;
  const { upper, ...others } = root;
  const options = root.options.filter((option) => option !== "volatile");
  return { ...others, lower: [upper.dir, ...root.lower], options };
}
