/**
 * sysctls of the container's namespaces, written below a procfs that was mounted by this launch and is
 * held by descriptor: a /proc/sys that a volume or the image put there cannot catch the write.
 */
import type { PlannedOp, Slot } from "../plan/index.ts";
import type { OciNamespaceType, OciSpec } from "../spec/index.ts";
import { invalid } from "./invalid.ts";
import { opMaker } from "./ops.ts";

/** Which namespace a sysctl belongs to; the others are the whole machine's. sysctl names with slashes. */
const NAMESPACED: readonly (readonly [name: RegExp, namespace: OciNamespaceType])[] = [
  [/^net\//, "network"],
  [/^kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/, "ipc"],
  [/^kernel\/(msg|sem|shm)_next_id$/, "ipc"],
  [/^fs\/mqueue\//, "ipc"],
  [/^kernel\/domainname$/, "uts"],
  [/^user\//, "user"],
];

/**
 * Throws INVALID_SPEC for a name that is no sysctl's or that the container has no namespace for.
 * sysctl(8), namespaces(7), user_namespaces(7).
 */
export function planSysctls(
  sysctls: Readonly<Record<string, string>>,
  namespaces: OciSpec["linux"]["namespaces"],
  proc: Slot,
): PlannedOp[] {
  return Object.entries(sysctls).map(([name, value]) => {
    const origin = `linux.sysctl[${JSON.stringify(name)}]`;
    const path = sysctlPath(name, origin);
    assertOwned(name, path, namespaces, origin);
    return opMaker("child", origin)(
      { kind: "writeFile", path: `sys/${path}`, data: value, dir: proc, flags: 0 },
      { hint: `The value must be one that "${name}" takes; see sysctl -a on the host.` },
    );
  });
}

/**
 * "net.ipv4.ip_forward" and "net/ipv4/ip_forward" are the same. Whichever separator comes first is the
 * separator, and the other one stands for itself: "net.ipv4.conf.eth0/100.forwarding" (sysctl.d(5)).
 */
function sysctlPath(name: string, origin: string): string {
  const first = /[./]/.exec(name)?.[0];
  const swapped = (char: string) => (char === "." ? "/" : ".");
  const path = first === "." ? name.replace(/[./]/g, swapped) : name;
  const parts = path.split("/");
  const wrong =
    parts.length < 2 || parts.some((part) => part === "" || part === "." || part === "..");
  if (wrong || path.includes("\0")) throw invalid(origin, `"${name}" is not the name of a sysctl`);
  return path;
}

function assertOwned(
  name: string,
  path: string,
  namespaces: OciSpec["linux"]["namespaces"],
  origin: string,
): void {
  if (path === "kernel/hostname") {
    throw invalid(origin, '"kernel.hostname" is not set by sysctl', "Use --hostname.");
  }
  const namespace = NAMESPACED.find(([pattern]) => pattern.test(path))?.[1];
  if (namespace === undefined) {
    throw invalid(
      origin,
      `"${name}" belongs to the whole machine, not to a container`,
      "Set it on the host with sysctl(8).",
    );
  }
  if (namespaces.some(({ type }) => type === namespace)) return;
  throw invalid(
    origin,
    `"${name}" would be set for the host: the container has no ${namespace} namespace of its own`,
    `Give it one, or set the value on the host with sysctl(8).`,
  );
}
