/**
 * An overlay's layers and options as the kernel's parameters (Documentation/filesystems/overlayfs.rst),
 * for fsconfig(2) one by one and for mount(2) as one string.
 */
import type { RootMount } from "./root-mount.ts";

export type OverlayRoot = Extract<RootMount, { readonly kind: "overlay" }>;

/** A parameter of fsconfig(2): a flag where there is no value. */
export interface OverlayParameter {
  readonly key: string;
  readonly value?: string;
}

/**
 * The parameters in order. With `append` every lower layer is one "lowerdir+" (Linux 6.7): no limit
 * but 500 layers. Without it they are one "lowerdir", separated by colons.
 */
export function overlayParameters(
  root: Pick<OverlayRoot, "lower" | "upper" | "options">,
  { append }: { readonly append: boolean },
): readonly OverlayParameter[] {
  const lower = append
    ? root.lower.map((value) => ({ key: "lowerdir+", value })) // as it is: nothing is unescaped
    : [{ key: "lowerdir", value: root.lower.map(escapePath).join(":") }];
  // These two are unescaped however they arrive (ovl_mount_dir), lowerdir+ is not (6.12, 6.18).
  const upper = root.upper
    ? [
        { key: "upperdir", value: escapePath(root.upper.dir) },
        { key: "workdir", value: escapePath(root.upper.work) },
      ]
    : [];
  return [...lower, ...upper, ...root.options.map(parseOption)];
}

/** The data argument of mount(2), which is cut at a page (4095 bytes). */
export function overlayMountData(root: Pick<OverlayRoot, "lower" | "upper" | "options">): string {
  return overlayParameters(root, { append: false })
    .map(({ key, value }) => (value === undefined ? key : `${key}=${value}`))
    .join(",");
}

/** The kernel splits at "," and ":" and then takes one backslash away, in every path alike. */
function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, "\\$&");
}

function parseOption(option: string): OverlayParameter {
  const at = option.indexOf("=");
  return at === -1 ? { key: option } : { key: option.slice(0, at), value: option.slice(at + 1) };
}
