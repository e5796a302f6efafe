/**
 * What several layers on top of each other are as one, name by name. overlayfs.rst, "whiteouts and opaque
 * directories", seen from above: the uppermost entry is what shows, and a directory goes on downwards
 * until something hides the rest.
 */
import type { EntryKind } from "./layer-view.ts";

/** By position in the entries that were given. */
export type MergedEntry =
  /** As the layer has it: a whiteout is kept where `below` the merged layers there is something to hide. */
  | { readonly kind: "whiteout" | "other"; readonly from: number }
  | {
      readonly kind: "directory";
      /** Whose contents it has, uppermost first; the first says what it is like itself. */
      readonly parts: readonly [number, ...number[]];
      /** It hides what the layers below the merged ones have at this name. */
      readonly opaque: boolean;
    };

/** What is at one name in the layers that have anything there, uppermost first. */
export function planMergedEntry([first, ...under]: readonly [
  EntryKind,
  ...EntryKind[],
]): MergedEntry {
  if (first === "whiteout" || first === "other") return { kind: first, from: 0 };
  const parts: [number, ...number[]] = [0];
  if (first === "opaque-directory") return { kind: "directory", parts, opaque: true };
  for (const [at, kind] of under.entries()) {
    // A directory does not merge with a file below it, and not with what a whiteout has hidden.
    if (kind === "whiteout" || kind === "other") return { kind: "directory", parts, opaque: true };
    parts.push(at + 1);
    if (kind === "opaque-directory") return { kind: "directory", parts, opaque: true };
  }
  return { kind: "directory", parts, opaque: false };
}
