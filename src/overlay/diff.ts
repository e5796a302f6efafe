/**
 * What a container changed, read from its upper alone: `tsrun diff`.
 */
import { closeSync, constants, readdirSync } from "node:fs";
import { O_PATH, openInRoot, openRoot, statx } from "../ffi/index.ts";
import { entryKind, existsInLayers, Layer } from "./layer-view.ts";

export type ChangeKind = "added" | "changed" | "deleted";

export interface Change {
  /** Absolute in the container. Bytes that are not UTF-8 are shown as replacement characters. */
  readonly path: string;
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
      return new DiffWalk(opened, root).walk("");
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

  walk(directory: string): readonly Change[] {
    for (const name of this.#names(directory)) this.#visit(`${directory}/${name}`);
    return this.#changes;
  }

  #names(directory: string): readonly string[] {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    const fd = openInRoot(this.#root, directory || "/", { flags });
    try {
      return readdirSync(`/proc/self/fd/${fd}`).sort();
    } finally {
      closeSync(fd);
    }
  }

  #visit(path: string): void {
    const fd = openInRoot(this.#root, path, { flags: O_PATH | O_NOFOLLOW });
    let isDirectory: boolean;
    let kind: ReturnType<typeof entryKind>;
    try {
      const stat = statx(fd, "");
      kind = entryKind(fd, stat);
      isDirectory = (stat.mode & S_IFMT) === S_IFDIR;
    } finally {
      closeSync(fd);
    }
    const below = existsInLayers(this.#layers, path);
    if (kind === "whiteout") {
      if (below) this.#changes.push({ path, kind: "deleted" });
      return;
    }
    this.#changes.push({ path, kind: below ? "changed" : "added" });
    if (kind === "opaque-directory") this.#deleteHidden(path);
    if (isDirectory) this.walk(path);
  }

  /** An opaque directory replaces the one below it: what it does not repeat is gone. */
  #deleteHidden(directory: string): void {
    const kept = new Set(this.#names(directory));
    const below = new Set(this.#layers.flatMap((layer) => layer.names(directory)));
    for (const name of [...below].sort()) {
      const path = `${directory}/${name}`;
      if (kept.has(name) || !existsInLayers(this.#layers, path)) continue;
      this.#changes.push({ path, kind: "deleted" });
    }
  }
}
