/**
 * The file system that carries an overlay's upper for one run: mounted, and its directories made, in a
 * mount namespace that the host does not see.
 */
import { posix } from "node:path";
import { type PlannedOp, SLOT_CWD } from "../plan/index.ts";
import type { OverlayCarrier, OverlayRoot } from "../spec/index.ts";
import { MS } from "./flags.ts";
import type { OpMaker } from "./ops.ts";

/** Nothing on it may be a device of the host's before the container's own rules hold. */
export function mountCarrier(
  make: OpMaker,
  { at, fstype, source, data, directories }: OverlayCarrier,
  hint: string,
): PlannedOp[] {
  return [
    make(
      { kind: "mount", source, fstype, data, flags: MS.NODEV, at: SLOT_CWD, target: at },
      { hint },
    ),
    ...directories.map(({ path, mode }) => make({ kind: "mkdir", path, mode })),
  ];
}

/** The same overlay and carrier with the carrier at another directory. */
export function moveCarrier(root: OverlayRoot, carrier: OverlayCarrier, at: string): OverlayRoot {
  const moved = (path: string) =>
    path.startsWith(`${carrier.at}/`) ? posix.join(at, path.slice(carrier.at.length)) : path;
  const { upper } = root;
  return {
    ...root,
    lower: root.lower.map(moved),
    ...(upper ? { upper: { dir: moved(upper.dir), work: moved(upper.work) } } : {}),
    carrier: {
      ...carrier,
      at,
      directories: carrier.directories.map(({ path, mode }) => ({ path: moved(path), mode })),
    },
  };
}
