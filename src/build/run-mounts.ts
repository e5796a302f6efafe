/**
 * The mounts of a RUN: what they show, made ready for as long as it runs.
 */

import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  readlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type { Engine, MountRequest } from "../engine/index.ts";
import {
  existsInRoot,
  O_PATH,
  openInRoot,
  openRoot,
  removeTree,
  statInRoot,
  unlinkAt,
} from "../ffi/index.ts";
import type { ImageDrafts } from "../images/index.ts";
import { claimCacheDirectory } from "./cache-mount.ts";
import { type FileTree, findFiles, walkFiles } from "./files.ts";
import { own } from "./own.ts";
import { type RunAction, type RunMount, scriptPath } from "./step.ts";
import { writeFiles } from "./write-files.ts";

type Mount<T extends RunMount["type"]> = Extract<RunMount, { type: T }>;

export interface RunMountsContext {
  readonly engine: Engine;
  readonly drafts: ImageDrafts;
  /** On a tmpfs: for what must not come to lie on a disk. */
  readonly secretsDirectory: string;
  readonly secrets: Readonly<Record<string, Uint8Array>>;
  readonly treeOf: (from: Mount<"bind">["from"]) => Promise<FileTree>;
  readonly signal: AbortSignal | undefined;
}

/** What the container is given; disposing takes it back. */
export class RunMounts implements Disposable {
  readonly mounts: MountRequest[] = [];
  readonly env: Record<string, string> = {};
  readonly #undos: (() => void)[] = [];
  readonly #context: RunMountsContext;
  #count = 0;

  constructor(context: RunMountsContext) {
    this.#context = context;
  }

  /** Throws NOT_FOUND for a secret or a source that is not there, ABORTED. */
  async add(mount: RunMount): Promise<void> {
    switch (mount.type) {
      case "tmpfs":
        this.#tmpfs(mount);
        return;
      case "cache":
        await this.#cache(mount);
        return;
      case "secret":
        this.#secret(mount);
        return;
      case "bind":
        await this.#bind(mount);
    }
  }

  addScript({ name, contents }: NonNullable<RunAction["script"]>): void {
    const path = join(this.#context.drafts.makeDirectory("script"), "script");
    writeFileSync(path, contents);
    chmodSync(path, 0o755);
    this.#show(path, scriptPath(name), ["ro"]);
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undos.splice(0).reverse()) undo();
  }

  #show(source: string, target: string, options: readonly string[]): void {
    this.mounts.push({ type: "bind", source, target, options });
  }

  #tmpfs({ target, sizeBytes }: Mount<"tmpfs">): void {
    const options = sizeBytes === undefined ? {} : { options: [`size=${sizeBytes}`] };
    this.mounts.push({ type: "tmpfs", target, ...options });
  }

  async #cache(mount: Mount<"cache">): Promise<void> {
    const { engine, signal } = this.#context;
    const directory = await claimCacheDirectory(engine, mount, signal);
    this.#undos.push(() => directory[Symbol.dispose]());
    this.#show(directory.path, mount.target, mount.readOnly ? ["ro"] : []);
  }

  #secret({ id, target, env, required, mode, uid, gid }: Mount<"secret">): void {
    const { secrets, secretsDirectory } = this.#context;
    const value = own(secrets, id);
    if (value === undefined) {
      if (!required) return;
      throw new TsrunError("NOT_FOUND", `there is no secret "${id}"`, {
        hint: `Give it to the build: --secret id=${id},src=FILE.`,
      });
    }
    if (env !== undefined) this.env[env] = Buffer.from(value).toString();
    if (target === undefined) return;
    this.#count += 1;
    const path = join(secretsDirectory, `${process.hrtime.bigint()}-${this.#count}`);
    writeFileSync(path, value, { mode: 0o400, flag: "wx" });
    this.#undos.push(() => unlinkSync(path));
    chownSync(path, uid, gid);
    chmodSync(path, mode);
    this.#show(path, target, ["ro"]);
  }

  async #bind({ from, source, target, readOnly }: Mount<"bind">): Promise<void> {
    const tree = await this.#context.treeOf(from);
    if (from.kind === "context" && readOnly) {
      // As the kernel has resolved it: a link that is exchanged meanwhile changes nothing.
      const fd = this.#openSource(tree, source);
      this.#undos.push(() => closeSync(fd));
      this.#show(`/proc/${process.pid}/fd/${fd}`, target, ["ro"]);
      return;
    }
    const directory = this.#context.drafts.makeDirectory("bind");
    this.#undos.push(() => removeTree(directory));
    await this.#copyTo(directory, tree, source);
    this.#show(join(directory, "copy"), target, readOnly ? ["ro"] : []);
  }

  #openSource(tree: FileTree, source: string): number {
    try {
      return openInRoot(tree.root, source, { flags: O_PATH });
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
      throw new TsrunError("NOT_FOUND", `there is no "${source}" to mount`, {
        hint: "Paths count from the root of the context, or of what from= names.",
      });
    }
  }

  /** What is written to it is thrown away, and a stage's root is mounted nowhere that could be shown. */
  async #copyTo(directory: string, tree: FileTree, source: string): Promise<void> {
    closeSync(this.#openSource(tree, source));
    const [found] = findFiles(tree, source.replace(/[*?[\\]/g, "\\$&"));
    if (!found) return;
    if (found.kind === "directory") mkdirSync(join(directory, "copy"));
    const root = openRoot(directory);
    try {
      await writeFiles(root, walkFiles(tree, found, "copy"));
    } finally {
      closeSync(root);
    }
  }
}

/** A path that a mount makes in the root because it is not there; the deepest comes first. */
export type MountPoint = readonly string[];

/** What is missing on the way to each target, below an open root. */
export function findMissingPoints(
  root: number,
  mounts: readonly MountRequest[],
): readonly MountPoint[] {
  return mounts.map(({ target }) => {
    const parts = target.split("/").filter((part) => part !== "" && part !== ".");
    const paths = parts.map((_, at) => parts.slice(0, at + 1).join("/"));
    const missing = paths.filter((path) => !existsInRoot(root, path));
    const last = paths.findLast((path) => existsInRoot(root, path)) ?? "";
    const real = realPath(root, last);
    return missing.map((path) => join(real, path.slice(last.length))).reverse();
  });
}

/** Where a path leads to in the root: the upper has no links of the layers below. */
function realPath(root: number, path: string): string {
  if (path === "") return "";
  const fd = openInRoot(root, path, { flags: O_PATH });
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).replace(/^\/+/, "");
  } finally {
    closeSync(fd);
  }
}

/** Takes out of an upper what was made for mounts alone, where it is still empty. */
export function removeMountPoints(upper: string, points: readonly MountPoint[]): void {
  for (const point of points) {
    for (const path of point) if (!removeEmpty(upper, path)) break;
  }
}

function removeEmpty(upper: string, path: string): boolean {
  const root = openRoot(upper);
  try {
    const stat = statInRoot(root, path, { follow: false });
    const isDirectory = (stat.mode & 0o170000) === 0o040000;
    if (!isDirectory && stat.size > 0n) return false;
    const name = path.slice(path.lastIndexOf("/") + 1);
    const parent = openInRoot(root, path.slice(0, -name.length) || "/", { flags: O_PATH });
    try {
      unlinkAt(parent, name, { directory: isDirectory });
      return true;
    } finally {
      closeSync(parent);
    }
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST")) return false;
    throw error;
  } finally {
    closeSync(root);
  }
}
