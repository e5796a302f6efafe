import { readFileSync, statfsSync, statSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { netlinkDump } from "../ffi/index.ts";
import type { OciIdMapping, OciNamespace } from "../spec/index.ts";
import type { NamespaceFacts, NamespaceFile, NamespaceId, NamespaceIds } from "./facts.ts";
import { parseIdMap } from "./id-map.ts";
import { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";
import { parseAddress, parseLink } from "./rtnetlink.ts";

/** NSFS_MAGIC of linux/magic.h: the file system that namespace files live on. */
const NSFS_MAGIC = 0x6e73_6673;
/** CAP_SETGID and CAP_SETUID, as bits of a capability set. */
const SETGID_AND_SETUID = (1n << 6n) | (1n << 7n);

/** What `planNamespaces` needs to know of the host for these namespaces. */
export function readNamespaceFacts(
  namespaces: readonly OciNamespace[],
  netDevices: readonly string[] = [],
): NamespaceFacts {
  const paths = namespaces.flatMap(({ path }) => (path === undefined ? [] : [path]));
  return {
    own: readNamespaces("self"),
    files: new Map(paths.map((path) => [path, readNamespaceFile(path)])),
    ...(netDevices.length > 0 ? { netDevices: readAddresses(netDevices) } : {}),
    mayMapAnyId: (readEffectiveCapabilities() & SETGID_AND_SETUID) === SETGID_AND_SETUID,
  };
}

/** rtnetlink(7), with sizes of struct ifinfomsg and ifaddrmsg. */
const [RTM_GETLINK, IFINFO_SIZE, RTM_GETADDR, IFADDR_SIZE] = [18, 16, 22, 8];

function readAddresses(names: readonly string[]): NonNullable<NamespaceFacts["netDevices"]> {
  const links = netlinkDump(RTM_GETLINK, new Uint8Array(IFINFO_SIZE)).map(parseLink);
  const all = netlinkDump(RTM_GETADDR, new Uint8Array(IFADDR_SIZE)).flatMap(
    (message) => parseAddress(message) ?? [],
  );
  return new Map(
    links
      .filter(([name]) => names.includes(name))
      .map(([name, index]) => [name, all.filter((address) => address.index === index)]),
  );
}

/**
 * A process's namespaces. Throws NOT_FOUND for a process that is gone, PERMISSION where ptrace(2)'s
 * rules hide its namespaces.
 */
export function readNamespaces(pid: number | "self"): NamespaceIds {
  const ids: Partial<Record<(typeof NAMESPACE_TYPES)[number], NamespaceId>> = {};
  for (const type of NAMESPACE_TYPES) {
    try {
      ids[type] = namespaceId(`/proc/${pid}/ns/${NAMESPACE_KINDS[type].procName}`);
    } catch (error) {
      if (hasErrno(error, "EACCES", "EPERM")) {
        throw new TsrunError("PERMISSION", `cannot read the namespaces of process ${pid}`, {
          cause: error,
          hint: "It has privileges that this user lacks (ptrace(2), access mode checking).",
        });
      }
      if (!hasErrno(error, "ENOENT", "ESRCH")) throw error;
      // This kernel was built without the type, or the process is gone; what follows tells which.
    }
  }
  if (ids.mount === undefined) {
    throw new TsrunError("NOT_FOUND", `there is no process ${pid}`, { errno: "ESRCH" });
  }
  return ids;
}

/** A process's /proc/PID/uid_map or gid_map. Throws NOT_FOUND for a process that is gone. */
export function readIdMap(pid: number | "self", which: "uid" | "gid"): readonly OciIdMapping[] {
  try {
    return parseIdMap(readFileSync(`/proc/${pid}/${which}_map`, "utf8"));
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ESRCH")) throw error;
    throw new TsrunError("NOT_FOUND", `there is no process ${pid}`, {
      cause: error,
      errno: "ESRCH",
    });
  }
}

function readNamespaceFile(path: string): NamespaceFile {
  try {
    if (statfsSync(path).type !== NSFS_MAGIC) return { kind: "otherFile" };
    return { kind: "namespace", id: namespaceId(path) };
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== "string") throw error;
    return { kind: "unreachable", errno: code };
  }
}

function namespaceId(path: string): NamespaceId {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}` as NamespaceId;
}

function readEffectiveCapabilities(): bigint {
  const [, mask] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  if (mask === undefined) throw new Error("/proc/self/status has no CapEff line");
  return BigInt(`0x${mask}`);
}
