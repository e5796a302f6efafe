/**
 * Copying files into and out of a container, as podman-cp(1) means it. A running container is reached
 * through its first process's root, a stopped one through its layers, mounted where nobody sees them.
 * Either way paths are resolved below that root: no link in the container leads out of it.
 */
import { closeSync, constants } from "node:fs";
import { basename, dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import { makeDirectoryAt, openInRoot, openRoot, statx } from "../ffi/index.ts";
import { packBelow, unpackTar } from "../images/index.ts";
import { openDetachedRoot } from "../overlay/index.ts";
import { toHostId } from "../runtime/index.ts";
import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { rootModeOf } from "./layers.ts";
import type { ContainerView } from "./records.ts";
import { planRootAtRest } from "./root.ts";

export interface CopyOptions {
  /** Let a file replace a directory, and a directory a file. */
  readonly overwrite?: boolean;
}

/** Copies a host file or directory to `path` in the container. "-" reads a tar archive from `archive`. */
export async function copyToContainer(
  engine: Engine,
  ref: string,
  { source, path }: { readonly source: string | Readable; readonly path: string },
  options: CopyOptions = {},
): Promise<void> {
  await inContainerRoot(engine, ref, { write: true }, async (root, owner) => {
    if (typeof source !== "string") {
      const directory = openDirectory(root, path);
      await unpackTar(source, directory, { whiteouts: false, owner });
      return;
    }
    using undo = new UndoStack();
    const host = openRoot("/");
    undo.defer(() => closeSync(host));
    await copy({ root: host, path: hostPath(source) }, { root, path }, { ...options, owner });
  });
}

/** Copies a file or directory of the container to `target` on the host, or as a tar archive into a stream. */
export async function copyFromContainer(
  engine: Engine,
  ref: string,
  { path, target }: { readonly path: string; readonly target: string | NodeJS.WritableStream },
  options: CopyOptions = {},
): Promise<void> {
  await inContainerRoot(engine, ref, { write: false }, async (root) => {
    if (typeof target !== "string") {
      const source = lookUp({ root, path });
      if (!source) throw noSuchPath(path);
      // The archive's own pipe() would end the caller's stream: it knows no `end`.
      const archive = Readable.from(packPlace({ root, path }, nameOf(path)), { objectMode: false });
      await pipeline(archive, target, { end: false });
      return;
    }
    using undo = new UndoStack();
    const host = openRoot("/");
    undo.defer(() => closeSync(host));
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    await copy({ root, path }, { root: host, path: hostPath(target) }, { ...options, owner });
  });
}

/** Absolute, with what its end says ("/", "/.") kept. */
function hostPath(path: string): string {
  return path.startsWith("/") ? path : `${process.cwd()}/${path}`;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A path below an open root. */
interface Place {
  readonly root: number;
  readonly path: string;
}

async function inContainerRoot(
  engine: Engine,
  ref: string,
  access: { readonly write: boolean },
  use: (root: number, owner: Owner) => Promise<void>,
): Promise<void> {
  await withContainer(engine, ref, async (container) => {
    const root = openContainerRoot(engine, container, access);
    try {
      await use(root, rootOwner(container));
    } finally {
      closeSync(root);
    }
  });
}

function openContainerRoot(
  engine: Engine,
  { config, state, status }: ContainerView,
  { write }: { readonly write: boolean },
): number {
  const running = status === "running" || status === "paused";
  if (running && state?.init) return openRoot(`/proc/${state.init.pid}/root`);
  const mode = rootModeOf(config);
  if (write && mode !== "private") {
    throw new TsrunError("WRONG_STATE", `"${config.name}" would not find it: its root is ${mode}`, {
      hint: "Each of its starts begins clean from the image; copy into it while it runs.",
    });
  }
  return openDetachedRoot(planRootAtRest(engine, config));
}

/**
 * The container's root, as the file system has it: a running container in a user namespace sees host
 * ids through its map; its layers at rest have the ids as the container counts them.
 */
function rootOwner({ config, status }: ContainerView): Owner {
  if (!config.userns || status === "created" || status === "exited") return { uid: 0, gid: 0 };
  return {
    uid: toHostId(config.userns.uids, 0) ?? 0,
    gid: toHostId(config.userns.gids, 0) ?? 0,
  };
}

/**
 * Into an existing directory under the source's own name; to a path that does not exist under that
 * name; "SOURCE/." is a directory's contents.
 */
async function copy(
  from: Place,
  to: Place,
  { overwrite = false, owner }: CopyOptions & { readonly owner: Owner },
): Promise<void> {
  const source = lookUp(from);
  if (!source) throw noSuchPath(from.path);
  const target = lookUp(to);
  const contents = /(^|\/)\.$/.test(from.path) || nameOf(from.path) === "";
  if (target === "file" && source === "directory" && !overwrite) {
    throw new TsrunError("INVALID_ARGUMENT", `cannot copy a directory onto the file "${to.path}"`, {
      hint: "Name a directory, or give --overwrite.",
    });
  }
  if (!target && to.path.endsWith("/") && source === "file") {
    throw new TsrunError("NOT_FOUND", `there is no directory "${to.path}" to copy into`);
  }
  const { directory, name } = placeFor({ source, target, contents, from, to });
  const into = openDirectory(to.root, directory, { create: contents && !target });
  const stream = packPlace(from, name);
  await unpackTar(stream, into, { whiteouts: false, owner });
}

/** The directory to unpack in, and what the copy is called there ("" for contents). */
function placeFor({
  source,
  target,
  contents,
  from,
  to,
}: {
  readonly source: "file" | "directory";
  readonly target: "file" | "directory" | undefined;
  readonly contents: boolean;
  readonly from: Place;
  readonly to: Place;
}): { readonly directory: string; readonly name: string } {
  if (contents && source === "directory") return { directory: to.path, name: "" };
  if (target === "directory") return { directory: to.path, name: nameOf(from.path) };
  return { directory: dirname(trimmed(to.path)), name: nameOf(to.path) };
}

function packPlace({ root, path }: Place, name: string): Readable {
  // The stream closes what it is given; the root is still needed.
  const copyOfRoot = openInRoot(root, "/");
  return packBelow(copyOfRoot, { path: trimmed(path), name });
}

/** The last component: "" for the root, and for "." which has no name of its own. */
function nameOf(path: string): string {
  const name = basename(trimmed(path));
  return name === "." || name === "/" ? "" : name;
}

function trimmed(path: string): string {
  return path.replace(/(\/\.)+\/*$/, "").replace(/\/+$/, "") || (path.startsWith("/") ? "/" : ".");
}

const { O_DIRECTORY } = constants;
const O_PATH = 0o10000000;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** What a path leads to; links are followed below the root. */
function lookUp({ root, path }: Place): "file" | "directory" | undefined {
  let fd: number;
  try {
    fd = openInRoot(root, path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
  try {
    return (statx(fd, "").mode & S_IFMT) === S_IFDIR ? "directory" : "file";
  } finally {
    closeSync(fd);
  }
}

function openDirectory(root: number, path: string, { create = false } = {}): number {
  try {
    return openInRoot(root, path, { flags: O_PATH | O_DIRECTORY });
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    if (create) return makeDirectory(root, path);
    throw new TsrunError("NOT_FOUND", `there is no directory "${path}"`, {
      hint: "Make it first; only the last part of a path is made by a copy.",
    });
  }
}

function makeDirectory(root: number, path: string): number {
  const parent = openDirectory(root, dirname(trimmed(path)));
  try {
    makeDirectoryAt(parent, basename(trimmed(path)), 0o755);
  } finally {
    closeSync(parent);
  }
  return openDirectory(root, path);
}

function noSuchPath(path: string): TsrunError {
  return new TsrunError("NOT_FOUND", `there is no "${path}" to copy`, {
    hint: "Paths in a container begin at its root.",
  });
}
