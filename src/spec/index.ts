/**
 * The specifications that containers are described with: OCI's runtime configuration as types, and
 * what tsrun adds to it. Pure vocabulary; parsing with JSON paths in the errors happens here too.
 * Start with oci.ts, then parse.ts.
 */
export type * from "./oci.ts";
export {
  type OverlayParameter,
  type OverlayRoot,
  overlayMountData,
  overlayParameters,
} from "./overlay-options.ts";
export { type Parsed, parseProcess, parseResources, parseSpec } from "./parse.ts";
export type { OverlayCarrier, RootMount } from "./root-mount.ts";
