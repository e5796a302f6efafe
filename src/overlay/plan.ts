/** Layers and a writable directory as one root, as data. */
import { TsrunError } from "../base/errors.ts";
import type { RootMount } from "../spec/index.ts";
import type { OverlayFacts } from "./facts.ts";

export interface OverlayRequest {
  /** Layer directories, uppermost first, absolute. */
  readonly layers: readonly string[];
  /** Absent makes a read-only root. */
  readonly upper?: { readonly dir: string; readonly work: string };
  /** Nobody keeps the upper: no sync, not even at unmount. Such an upper does not survive a crash. */
  readonly volatile: boolean;
  /** The files belong to the container's ids as the image counts them. */
  readonly idMapped?: boolean;
  readonly facts: OverlayFacts;
}

/** OVL_MAX_STACK of fs/overlayfs. */
const MAX_LAYERS = 500;

/**
 * redirect_dir and metacopy are off, whatever the kernel's default is: with them an upper only means
 * something together with the paths and the contents below it, and its differences could no longer be
 * read, exported or put on another layer (overlayfs.rst, "Directories", "Metadata only copy up").
 * Throws OVERLAY_UNSUPPORTED.
 */
export function planOverlay(request: OverlayRequest): RootMount {
  const { layers, upper, facts, volatile, idMapped = false } = request;
  if (layers.length === 0) {
    throw new TsrunError("OVERLAY_UNSUPPORTED", "an overlay needs at least one layer", {
      hint: "The image is empty; import one that has files.",
    });
  }
  if (layers.length > MAX_LAYERS) {
    throw new TsrunError(
      "OVERLAY_UNSUPPORTED",
      `${layers.length} layers are more than the ${MAX_LAYERS} that overlayfs takes`,
      { hint: "Flatten the image into fewer layers." },
    );
  }
  if (upper && facts.problem) {
    throw new TsrunError(
      "OVERLAY_UNSUPPORTED",
      `cannot use "${facts.dir}" for a container's files: ${facts.problem.reason}`,
      { hint: facts.problem.hint },
    );
  }
  return {
    kind: "overlay",
    lower: layers,
    ...(upper ? { upper } : {}),
    options: overlayOptions(facts, volatile && upper !== undefined),
    idMapped,
  };
}

function overlayOptions({ options }: OverlayFacts, volatile: boolean): string[] {
  return [
    ...(volatile && options.volatile ? ["volatile"] : []),
    ...(options.redirectDir ? ["redirect_dir=off"] : []),
    ...(options.metacopy ? ["metacopy=off"] : []),
    // Stable inode numbers where layers are on several file systems and there is room for them.
    ...(options.xino ? ["xino=auto"] : []),
  ];
}
