import { existsSync, readdirSync, statfsSync } from "node:fs";
import { OVERLAY_FEATURES, type OverlayFacts, type OverlayFeature } from "./plan.ts";

/**
 * File systems that overlayfs refuses as an upper (no whiteouts by rename, no trusted xattrs, no
 * d_type), by statfs(2)'s type, linux/magic.h. What is not listed is tried, and the mount's own error
 * tells.
 */
const UNFIT_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  2035054128: "an overlay",
  26985: "nfs",
  1702057286: "fuse",
  16914839: "9p",
  4283649346: "cifs",
  4266872130: "smb",
  19780: "vfat",
  538032816: "exfat",
  1936814952: "squashfs",
  3774210530: "erofs",
};

/** What planning an overlay needs to know about the directory that holds (or will hold) its upper. */
export function probeOverlay(directory: string): OverlayFacts {
  features ??= readFeatures();
  return {
    unfitFileSystem: UNFIT_FILE_SYSTEMS[statfsSync(directory).type],
    features,
  };
}

const PARAMETERS = "/sys/module/overlay/parameters";
let features: ReadonlySet<OverlayFeature> | undefined;

/** A module that is not loaded yet tells nothing; its options are then left to its own defaults. */
function readFeatures(): ReadonlySet<OverlayFeature> {
  if (!existsSync(PARAMETERS)) return new Set();
  const present = new Set(readdirSync(PARAMETERS));
  return new Set(OVERLAY_FEATURES.filter((feature) => present.has(feature)));
}
