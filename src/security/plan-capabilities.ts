/**
 * The five capability sets of a container's first process, with podman's meaning of the options
 * (podman-run(1) --cap-add, --cap-drop, --privileged).
 */
import { TsrunError } from "../base/errors.ts";
import type { OciCapabilities } from "../spec/index.ts";
import {
  type Capability,
  capabilityMask,
  capabilityNames,
  DEFAULT_CAPABILITIES,
  parseCapability,
} from "./capabilities.ts";

export interface CapabilityRequest {
  /** Names as people write them, "ALL" included. */
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
  readonly privileged?: boolean;
  /** Whether the first process runs as uid 0 of the container. */
  readonly userIsRoot: boolean;
}

/**
 * Root's effective and permitted sets are the whole bounding set. Any other user starts with only
 * what was added by name, as ambient capabilities, so that execve does not take it away again.
 * Throws INVALID_ARGUMENT for unknown and contradictory names, PERMISSION for one asked for by name
 * that `boundingSet`, tsrun's own, does not hold. A default that is not in there is left out.
 */
export function planCapabilities(
  request: CapabilityRequest,
  { boundingSet }: { readonly boundingSet: bigint },
): Required<OciCapabilities> {
  const { add, drop } = parseRequest(request);
  assertAvailable(add.names, boundingSet);
  const available = capabilityNames(boundingSet);
  const wanted = request.privileged
    ? available
    : mergeCapabilities({ add, drop, defaults: DEFAULT_CAPABILITIES, available });
  const bounding = inOrder(wanted.filter((name) => available.includes(name)));
  if (request.userIsRoot) {
    return { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] };
  }
  const own = inOrder(add.all ? available : add.names);
  return { bounding, effective: own, permitted: own, inheritable: own, ambient: own };
}

interface NameList {
  readonly all: boolean;
  readonly names: readonly Capability[];
}

function parseRequest({ add = [], drop = [] }: CapabilityRequest): {
  add: NameList;
  drop: NameList;
} {
  const lists = { add: parseNames(add), drop: parseNames(drop) };
  if (lists.add.all && lists.drop.all) {
    throw new TsrunError("INVALID_ARGUMENT", 'capabilities "ALL" are both added and dropped', {
      hint: "Give --cap-add=ALL or --cap-drop=ALL, not both.",
    });
  }
  const both = lists.add.names.find((name) => lists.drop.names.includes(name));
  if (both) {
    throw new TsrunError("INVALID_ARGUMENT", `capability "${both}" is both added and dropped`, {
      hint: "Remove it from --cap-add or from --cap-drop.",
    });
  }
  return lists;
}

function parseNames(texts: readonly string[]): NameList {
  const isAll = (text: string) => text.toUpperCase() === "ALL";
  return {
    all: texts.some(isAll),
    names: texts.filter((text) => !isAll(text)).map(parseCapability),
  };
}

function mergeCapabilities(lists: {
  readonly add: NameList;
  readonly drop: NameList;
  readonly defaults: readonly Capability[];
  readonly available: readonly Capability[];
}): readonly Capability[] {
  const { add, drop, defaults, available } = lists;
  if (drop.all) return add.names;
  const base = add.all ? available : defaults;
  return [...base.filter((name) => !drop.names.includes(name)), ...add.names];
}

function assertAvailable(names: readonly Capability[], boundingSet: bigint): void {
  const missing = names.find((name) => (capabilityMask([name]) & boundingSet) === 0n);
  if (!missing) return;
  throw new TsrunError("PERMISSION", `cannot add capability "${missing}": tsrun does not have it`, {
    hint: "It is outside the bounding set that this machine or an outer container leaves to tsrun (CapBnd in /proc/self/status).",
    errno: "EPERM",
  });
}

/** By number and each once, so that equal requests give equal plans. */
function inOrder(names: readonly Capability[]): readonly Capability[] {
  return capabilityNames(capabilityMask(names));
}
