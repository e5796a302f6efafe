/**
 * What layers change in those below them, read from the changed ones alone: `tsrun diff`.
 */
import { entryInLayers, Layer } from "./layer-view.ts";

export type ChangeKind = "added" | "changed" | "deleted";

export interface Change {
  /** Absolute in the container. Bytes that are not UTF-8 are shown as replacement characters. */
  readonly path: string;
  /** The path as it is. */
  readonly bytes: Buffer;
  readonly kind: ChangeKind;
}

/**
 * Every path that `changed` adds to, changes in or deletes from `layers` (of both the uppermost first),
 * parents before children, in byte order. A directory counts as changed when something in it is, as
 * podman-diff(1) shows it. What a directory hides that was made anew is deleted.
 */
export function readDiff(
  layers: readonly string[],
  changed: string | readonly string[],
): readonly Change[] {
  const opened: Layer[] = [];
  const open = (path: string) => {
    const layer = new Layer(path);
    opened.push(layer);
    return layer;
  };
  try {
    const above = [changed].flat().map(open);
    return new DiffWalk(layers.map(open), above).walk(Buffer.alloc(0), false);
  } finally {
    for (const layer of opened) layer[Symbol.dispose]();
  }
}

class DiffWalk {
  readonly #before: readonly Layer[];
  readonly #changed: readonly Layer[];
  readonly #now: readonly Layer[];
  readonly #changes: Change[] = [];

  constructor(before: readonly Layer[], changed: readonly Layer[]) {
    this.#before = before;
    this.#changed = changed;
    this.#now = [...changed, ...before];
  }

  /** `hidden`: the layers before do not show through any more. */
  walk(directory: Buffer, hidden: boolean): readonly Change[] {
    const layers = hidden ? this.#now : this.#changed;
    // By latin1, in which each byte is a character, and the order is that of the bytes.
    const names = new Set(
      layers.flatMap((layer) => layer.names(directory).map((name) => name.toString("latin1"))),
    );
    for (const name of [...names].sort()) {
      this.#visit(below(directory, Buffer.from(name, "latin1")), hidden);
    }
    return this.#changes;
  }

  #visit(path: Buffer, hidden: boolean): void {
    const existed = entryInLayers(this.#before, path) !== undefined;
    const now = entryInLayers(this.#now, path);
    if (!now) {
      // Else it came and went in the layers above.
      if (existed) this.#add(path, "deleted");
      return;
    }
    this.#add(path, existed ? "changed" : "added");
    if (now.kind !== "directory" && now.kind !== "opaque-directory") return;
    this.walk(path, hidden || this.#changed.some((layer) => hides(layer, path)));
  }

  #add(path: Buffer, kind: ChangeKind): void {
    this.#changes.push({ path: path.toString(), bytes: path, kind });
  }
}

/** Whether the layer has something at the path that the layers below do not show through. */
function hides(layer: Layer, path: Buffer): boolean {
  const kind = layer.entry(path)?.kind;
  return kind !== undefined && kind !== "directory";
}

function below(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}
