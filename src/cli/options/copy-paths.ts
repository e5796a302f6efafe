/**
 * The two ends of cp: CONTAINER:PATH, a path of the host, or "-" for a tar stream.
 */
import { TsrunError } from "../../base/errors.ts";

export type CopyEnd =
  | { readonly kind: "container"; readonly container: string; readonly path: string }
  | { readonly kind: "host"; readonly path: string }
  | { readonly kind: "stream" };

/** One end in a container, the other outside. */
export type CopyDirection =
  | {
      readonly kind: "in";
      readonly from: Exclude<CopyEnd, { kind: "container" }>;
      readonly to: Extract<CopyEnd, { kind: "container" }>;
    }
  | {
      readonly kind: "out";
      readonly from: Extract<CopyEnd, { kind: "container" }>;
      readonly to: Exclude<CopyEnd, { kind: "container" }>;
    };

/** Throws where not exactly one of the two is in a container. */
export function parseCopy(source: string, target: string): CopyDirection {
  const from = parseCopyEnd(source);
  const to = parseCopyEnd(target);
  if (from.kind !== "container" && to.kind === "container") return { kind: "in", from, to };
  if (from.kind === "container" && to.kind !== "container") return { kind: "out", from, to };
  if (from.kind === "container") {
    throw new TsrunError("UNSUPPORTED", "cannot copy from one container to another", {
      hint: "Copy to a directory of the host in between, or pipe `tsrun cp A:PATH -` into `tsrun cp - B:DIR`.",
    });
  }
  throw new TsrunError(
    "INVALID_ARGUMENT",
    `neither "${source}" nor "${target}" is in a container`,
    {
      hint: "Write one of them as CONTAINER:PATH.",
    },
  );
}

/** A path of the host that has a colon in it begins with / or ./ to be told apart. */
function parseCopyEnd(text: string): CopyEnd {
  if (text === "-") return { kind: "stream" };
  const [, container, path] = /^([^/.:][^/:]*):(.*)$/s.exec(text) ?? [];
  if (container === undefined || path === undefined) return { kind: "host", path: text };
  return { kind: "container", container, path: path.startsWith("/") ? path : `/${path}` };
}
