/**
 * What a container changed, read from its upper alone: `tsrun diff`.
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { O_PATH, openInRoot, openRoot, statx } from "../ffi/index.ts";
import { entryInLayers, entryKind, Layer } from "./layer-view.ts";

export type ChangeKind = "added" | "changed" | "deleted";

export interface Change {
  /** Absolute in the container. Bytes that are not UTF-8 are shown as replacement characters. */
  readonly path: string;
  /** The path as it is. */
  readonly bytes: Buffer;
  readonly kind: ChangeKind;
}

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/**
 * Every path that `upper` adds to, changes in or deletes from `layers` (uppermost first), parents
 * before children, in byte order. A directory counts as changed when something in it is, as
 * podman-diff(1) shows it. What an opaque directory hides is deleted.
 */
export function readDiff(layers: readonly string[], upper: string): readonly Change[] {
  const opened: Layer[] = [];
  try {
    for (const path of layers) opened.push(new Layer(path));
    const root = openRoot(upper);
    try {
      return new DiffWalk(opened, root).walk(Buffer.alloc(0));
    } finally {
      closeSync(root);
    }
  } finally {
    for (const layer of opened) layer[Symbol.dispose]();
  }
}

class DiffWalk {
  readonly #layers: readonly Layer[];
  readonly #root: number;
  readonly #changes: Change[] = [];

  constructor(layers: readonly Layer[], root: number) {
    this.#layers = layers;
    this.#root = root;
  }

  walk(directory: Buffer): readonly Change[] {
    for (const name of this.#names(directory)) this.#visit(below(directory, name));
    return this.#changes;
  }

  #names(directory: Buffer): readonly Buffer[] {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const fd = this.#open(directory, flags);
    if (fd === undefined) return [];
    try {
      return readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" }).sort(Buffer.compare);
    } finally {
      closeSync(fd);
    }
  }

  /** undefined for what a running container has removed meanwhile. */
  #open(path: Buffer, flags: number): number | undefined {
    try {
      return openInRoot(this.#root, path.length === 0 ? "/" : path, { flags });
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
      throw error;
    }
  }

  #visit(path: Buffer): void {
    const fd = this.#open(path, O_PATH | O_NOFOLLOW);
    if (fd === undefined) return;
    let isDirectory: boolean;
    let kind: ReturnType<typeof entryKind>;
    try {
      const stat = statx(fd, "");
      kind = entryKind(fd, stat);
      isDirectory = (stat.mode & S_IFMT) === S_IFDIR;
    } finally {
      closeSync(fd);
    }
    const existed = entryInLayers(this.#layers, path) !== undefined;
    if (kind === "whiteout") {
      if (existed) this.#add(path, "deleted");
      return;
    }
    this.#add(path, existed ? "changed" : "added");
    if (kind === "opaque-directory") this.#deleteHidden(path);
    if (isDirectory) this.walk(path);
  }

  /** An opaque directory replaces the one below it: what it does not repeat is gone. */
  #deleteHidden(directory: Buffer): void {
    // By latin1, in which each byte is a character.
    const kept = new Set(this.#names(directory).map((name) => name.toString("latin1")));
    const hidden = new Set(
      this.#layers.flatMap((layer) =>
        layer.names(directory).map((name) => name.toString("latin1")),
      ),
    );
    for (const name of [...hidden].sort()) {
      const path = below(directory, Buffer.from(name, "latin1"));
      if (kept.has(name) || !entryInLayers(this.#layers, path)) continue;
      this.#add(path, "deleted");
    }
  }

  #add(path: Buffer, kind: ChangeKind): void {
    this.#changes.push({ path: path.toString(), bytes: path, kind });
  }
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}
