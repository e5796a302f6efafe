/**
 * The user namespace's part of a launch: its maps, and becoming its root.
 */
import { TsrunError } from "../base/errors.ts";
import type { PlannedOp } from "../plan/index.ts";
import type { OciIdMapping } from "../spec/index.ts";
import { formatIdMap } from "./id-map.ts";
import type { NamespaceRequest } from "./request.ts";

export interface IdMappings {
  readonly uidMappings: readonly OciIdMapping[];
  readonly gidMappings: readonly OciIdMapping[];
}

/**
 * Writes the maps of a new user namespace, from outside: inside, nobody may map ids that are not
 * his own. Throws INVALID_SPEC for a missing or wrong map, and for maps without a user namespace.
 */
export function planIdMaps(
  user: NamespaceRequest,
  { uidMappings, gidMappings }: IdMappings,
  mayMapAnyId: boolean,
): readonly PlannedOp[] {
  const maps = [
    { name: "gid_map", origin: "linux.gidMappings", mappings: gidMappings },
    { name: "uid_map", origin: "linux.uidMappings", mappings: uidMappings },
  ] as const;
  switch (user.kind) {
    case "joined":
      // Its maps were written when it was made and cannot be changed; here they only describe it.
      for (const { origin, mappings } of maps) formatIdMap(mappings, origin);
      return [];
    case "own":
      for (const { origin, mappings } of maps) {
        if (mappings.length === 0) continue;
        throw new TsrunError("INVALID_SPEC", `${origin} needs a user namespace`, {
          origin,
          hint: `Add { "type": "user" } to linux.namespaces.`,
        });
      }
      return [];
    case "new": {
      const writes = maps.map(({ name, origin, mappings }): PlannedOp => {
        if (mappings.length === 0) {
          throw new TsrunError("INVALID_SPEC", `a new user namespace needs ${origin}`, { origin });
        }
        return {
          op: { kind: "writeProc", name, data: formatIdMap(mappings, origin) },
          phase: "parent",
          origin,
          hint: mayMapAnyId
            ? "Every hostID must be an id of the user namespace that tsrun runs in; see /proc/self/uid_map."
            : "Without CAP_SETUID and CAP_SETGID only your own ids can be mapped, one line each.",
        };
      });
      return mayMapAnyId ? writes : [denySetgroups(user.origin), ...writes];
    }
  }
}

/** user_namespaces(7): an unprivileged process may write gid_map only after this, for good. */
function denySetgroups(origin: string): PlannedOp {
  return { op: { kind: "writeProc", name: "setgroups", data: "deny" }, phase: "parent", origin };
}

/**
 * Makes the child root of the user namespace that it is in. Its ids are still those of the host,
 * which the maps may not contain: files it made would belong to the overflow id or fail with
 * EOVERFLOW. The process's own ids come later, from `process.user`.
 */
export function planBecomeRoot(origin: string): readonly PlannedOp[] {
  const place = { phase: "child", origin } as const;
  return [
    // EPERM: setgroups is denied in this namespace, so there is nothing to drop.
    { ...place, op: { kind: "setgroups", gids: [] }, tolerate: ["EPERM"] },
    // EINVAL: the map has no 0. The capabilities are complete all the same (user_namespaces(7)).
    { ...place, op: { kind: "setresgid", gid: 0 }, tolerate: ["EINVAL"] },
    { ...place, op: { kind: "setresuid", uid: 0 }, tolerate: ["EINVAL"] },
  ];
}
