/**
 * What becomes the container's "/", as data: the overlay folder computes it, the rootfs folder turns
 * it into ops. Paths are absolute host paths.
 */
export type RootMount =
  /** A directory as it is: the container writes into it. */
  | {
      readonly kind: "bind";
      readonly path: string;
      /** As with an overlay: owned by host ids 0… and seen through the container's id map. */
      readonly idMapped?: boolean;
    }
  | {
      readonly kind: "overlay";
      /** Uppermost first; at least one. */
      readonly lower: readonly string[];
      /** Absent makes a read-only overlay. */
      readonly upper?: { readonly dir: string; readonly work: string };
      /** Absent where the upper is in a directory of the host's. */
      readonly carrier?: OverlayCarrier;
      /** Mount options that need no value ("volatile") or have one ("xino=auto"), in order. */
      readonly options: readonly string[];
      /** Layers and upper are owned by host ids 0… and must be seen through the container's id map. */
      readonly idMapped: boolean;
    };

/**
 * A file system that carries an overlay's upper. It is mounted for one run, in the container's own mount
 * namespace, and is gone with the run's last mount: the host never sees it.
 */
export interface OverlayCarrier {
  /** Paths of the overlay below this directory are in it. An empty directory of the host's. */
  readonly at: string;
  readonly fstype: string;
  readonly source: string;
  /** The data argument of mount(2). */
  readonly data: string;
  /** Directories to make in it, by path. */
  readonly directories: readonly { readonly path: string; readonly mode: number }[];
}
