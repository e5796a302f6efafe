/**
 * Which capabilities a container's process has, and what of /proc and /sys it cannot see. Pure.
 */
import { TsrunError } from "../../base/errors.ts";
import type { OciCapabilities } from "../../spec/index.ts";
import type { ContainerRequest, SecurityRequest } from "../request.ts";

export interface CapabilityFacts {
  /** Every capability that the kernel knows and this process may hand on. */
  readonly available: readonly string[];
  /** What a container has if nothing is said. */
  readonly defaults: readonly string[];
}

/**
 * root gets the set whole; another user starts with only what was asked for by name, ambient so that
 * it survives the exec, while the rest bounds what a set-user-ID program can gain: podman's rule.
 */
export function composeCapabilities(
  request: Pick<ContainerRequest, "capAdd" | "capDrop" | "privileged">,
  { uid }: { readonly uid: number },
  facts: CapabilityFacts,
): OciCapabilities {
  const added = parseNames(request.capAdd, facts);
  const bounding = boundingSet(request, added, facts);
  const inEffect = uid === 0 ? bounding : bounding.filter((name) => added.names.has(name));
  const forOther = uid === 0 ? [] : inEffect;
  return {
    bounding,
    effective: inEffect,
    permitted: inEffect,
    inheritable: forOther,
    ambient: forOther,
  };
}

function boundingSet(
  { capDrop, privileged }: Pick<ContainerRequest, "capDrop" | "privileged">,
  added: CapabilityNames,
  facts: CapabilityFacts,
): string[] {
  const dropped = parseNames(capDrop, facts);
  const everything = privileged || added.all;
  const start = new Set(dropped.all ? [] : everything ? facts.available : facts.defaults);
  for (const name of dropped.names) start.delete(name);
  for (const name of added.names) start.add(name);
  return facts.available.filter((name) => start.has(name));
}

interface CapabilityNames {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
}

function parseNames(
  texts: readonly string[] = [],
  { available }: CapabilityFacts,
): CapabilityNames {
  const names = new Set<string>();
  let all = false;
  for (const text of texts) {
    const upper = text.toUpperCase();
    if (upper === "ALL") {
      all = true;
      continue;
    }
    const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (!available.includes(name)) {
      throw new TsrunError(
        "INVALID_ARGUMENT",
        `"${text}" is no capability that can be given here`,
        {
          hint: "capabilities(7) lists them; a capability outside tsrun's own bounding set cannot be given.",
        },
      );
    }
    names.add(name);
  }
  return { all, names };
}

export interface PathMasks {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}

/** --security-opt mask= and unmask=; "ALL" unmasks everything. A pattern is podman's glob with "*". */
export function composePathMasks(
  { privileged }: Pick<ContainerRequest, "privileged">,
  security: SecurityRequest = {},
  defaults: PathMasks,
): PathMasks {
  const { mask = [], unmask = [] } = security;
  const base = privileged ? { maskedPaths: [], readonlyPaths: [] } : defaults;
  const unmasked = (path: string) =>
    unmask.some((pattern) => pattern.toUpperCase() === "ALL" || globFits(pattern, path));
  return {
    maskedPaths: [...base.maskedPaths.filter((path) => !unmasked(path)), ...mask],
    readonlyPaths: base.readonlyPaths.filter((path) => !unmasked(path)),
  };
}

function globFits(pattern: string, path: string): boolean {
  const source = pattern
    .split("*")
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
    .join("[^/]*");
  return new RegExp(`^${source}$`).test(path);
}
