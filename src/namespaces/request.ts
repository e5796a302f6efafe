/**
 * `linux.namespaces` as decisions: which are new, which are joined, which stay the caller's.
 */
import { TsrunError } from "../base/errors.ts";
import type { OciNamespace, OciNamespaceType } from "../spec/index.ts";
import type { NamespaceFacts } from "./facts.ts";
import { NAMESPACE_TYPES } from "./kinds.ts";

/** What becomes of one namespace; `origin` is its entry, e.g. "linux.namespaces[2]". */
export type NamespaceRequest =
  | { readonly kind: "own" }
  | { readonly kind: "new"; readonly origin: string }
  | { readonly kind: "joined"; readonly path: string; readonly origin: string };

export type NamespaceRequests = Readonly<Record<OciNamespaceType, NamespaceRequest>>;

/**
 * A path that leads to a namespace tsrun is in already becomes "own": nothing is to be done, and
 * setns(2) refuses a process's own user namespace with EINVAL.
 * Throws INVALID_SPEC for a type that is listed twice and a path without a namespace,
 * UNSUPPORTED for a type that this kernel does not have. OCI config-linux.md, "Namespaces".
 */
export function parseNamespaces(
  namespaces: readonly OciNamespace[],
  facts: NamespaceFacts,
): NamespaceRequests {
  const requests = Object.fromEntries(
    NAMESPACE_TYPES.map((type) => [type, { kind: "own" }]),
  ) as Record<OciNamespaceType, NamespaceRequest>;
  const seen = new Map<OciNamespaceType, number>();
  for (const [index, namespace] of namespaces.entries()) {
    const { type } = namespace;
    const origin = `linux.namespaces[${index}]`;
    const first = seen.get(type);
    if (first !== undefined) {
      throw invalid(`${origin}: "${type}" is already listed as linux.namespaces[${first}]`, origin);
    }
    seen.set(type, index);
    requests[type] = parseNamespace(namespace, origin, facts);
  }
  return requests;
}

/** Those that are not tsrun's own: what belongs to the others may be changed for the container. */
export function foreignNamespaces(
  namespaces: readonly OciNamespace[],
  facts: NamespaceFacts,
): readonly OciNamespace[] {
  const requests = parseNamespaces(namespaces, facts);
  return namespaces.filter(({ type }) => requests[type].kind !== "own");
}

function parseNamespace(
  { type, path }: OciNamespace,
  origin: string,
  facts: NamespaceFacts,
): NamespaceRequest {
  if (!NAMESPACE_TYPES.includes(type)) {
    throw invalid(`${origin}: there is no namespace type "${type}"`, origin, {
      hint: `The types are ${NAMESPACE_TYPES.join(", ")}.`,
    });
  }
  if (facts.own[type] === undefined) {
    throw new TsrunError("UNSUPPORTED", `${origin}: this kernel has no ${type} namespaces`, {
      origin,
    });
  }
  if (path === undefined || path === "") return { kind: "new", origin };
  const file = facts.files.get(path);
  if (!path.startsWith("/")) throw invalid(`${origin}: the path "${path}" is not absolute`, origin);
  if (!file) throw new Error(`${origin}: the facts were read for other namespaces`);
  switch (file.kind) {
    case "unreachable":
      throw invalid(`${origin}: cannot reach the ${type} namespace "${path}"`, origin, {
        errno: file.errno,
        hint: "A path below /proc/PID/ns lasts as long as the process; is it still there?",
      });
    case "otherFile":
      throw invalid(`${origin}: "${path}" is not a namespace file`, origin);
    case "namespace":
      return file.id === facts.own[type]
        ? { kind: "own" }
        : { kind: "joined", path, origin: `${origin}.path` };
  }
}

function invalid(
  message: string,
  origin: string,
  options: { readonly hint?: string; readonly errno?: string } = {},
): TsrunError {
  return new TsrunError("INVALID_SPEC", message, { origin, ...options });
}
