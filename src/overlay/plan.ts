import { TsrunError } from "../base/errors.ts";
import type { OverlayCarrier, RootMount } from "../spec/index.ts";
import type { Upper } from "./upper.ts";

export interface OverlayFacts {
  /** The file system below the upper, where it is one that cannot carry an upper. */
  readonly unfitFileSystem: string | undefined;
  /** In one only marks of users' attributes can be set: "userxattr". */
  readonly userNamespace: boolean;
  /** Which of overlayfs's features this kernel lets a mount choose. */
  readonly features: ReadonlySet<OverlayFeature>;
}

/** The names of /sys/module/overlay/parameters/, which are the mount options too (but for xino). */
export const OVERLAY_FEATURES = ["redirect_dir", "metacopy", "index", "xino_auto"] as const;
export type OverlayFeature = (typeof OVERLAY_FEATURES)[number];

/** overlayfs takes at most this many layers (OVL_MAX_STACK). */
const MAX_LAYERS = 500;

/**
 * The root of a container: `layers` (uppermost first) below `upper`. An upper of tsrun's is always
 * complete in itself: neither redirects nor metadata-only copies, whatever the module's parameters
 * say, so that it can be compared, copied and become a layer without the layers below it.
 * `volatile` leaves out every sync: for containers whose upper is thrown away (overlayfs.rst,
 * "Volatile mount"). `carrier` is what the upper will be on, where that is not the host's. Throws
 * OVERLAY_UNSUPPORTED.
 */
export function planOverlay({
  layers,
  upper,
  carrier,
  volatile = false,
  idMapped = false,
  facts,
}: {
  readonly layers: readonly string[];
  readonly upper?: Upper;
  readonly carrier?: OverlayCarrier | undefined;
  readonly volatile?: boolean;
  readonly idMapped?: boolean;
  readonly facts: OverlayFacts;
}): RootMount {
  if (layers.length === 0 || layers.length > MAX_LAYERS) {
    throw new TsrunError("OVERLAY_UNSUPPORTED", `an overlay cannot have ${layers.length} layers`, {
      hint: `Between 1 and ${MAX_LAYERS} are possible.`,
    });
  }
  if (upper && !carrier && facts.unfitFileSystem !== undefined) {
    throw new TsrunError(
      "OVERLAY_UNSUPPORTED",
      `cannot keep a writable layer in "${upper.dir}": ${facts.unfitFileSystem} cannot carry an overlay's upper`,
      { hint: "Point --root at a directory on ext4, xfs (ftype=1), btrfs or tmpfs." },
    );
  }
  return {
    kind: "overlay",
    lower: layers,
    ...(upper ? { upper } : {}),
    ...(carrier ? { carrier } : {}),
    options: planOptions(upper !== undefined && volatile, facts),
    idMapped,
  };
}

function planOptions(volatile: boolean, { features, userNamespace }: OverlayFacts): string[] {
  // userxattr leaves both out by itself, and refuses to be told so: redirect_dir=off may mean "follow".
  const complete = [
    ...(features.has("redirect_dir") ? ["redirect_dir=off"] : []),
    ...(features.has("metacopy") ? ["metacopy=off"] : []),
  ];
  return [
    ...(userNamespace ? ["userxattr"] : complete),
    ...(features.has("index") ? ["index=off"] : []),
    // Inode numbers that stay the same after a copy-up, where the layers' file systems allow it.
    ...(features.has("xino_auto") ? ["xino=auto"] : []),
    ...(volatile ? ["volatile"] : []),
  ];
}
