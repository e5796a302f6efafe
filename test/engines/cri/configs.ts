/** Pods and containers as a kubelet describes them. */
import { mkdirSync, readFileSync } from "node:fs";
import type { ContainerConfig, PodConfig, SecurityContext } from "./messages.ts";
import { type CriNode, IMAGE } from "./node.ts";

/** What a kubelet sends for a container that is not privileged (kubernetes: pkg/securitycontext). */
const MASKED_PATHS = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

export const FOREVER = ["sleep", "1000000"];

export function pod(node: CriNode, name: string, changes: Partial<PodConfig> = {}): PodConfig {
  const logDirectory = node.host.file(`logs-${name}`);
  mkdirSync(logDirectory);
  return {
    metadata: { name, uid: `uid-${name}`, namespace: "default", attempt: 0 },
    ...{ hostname: name, logDirectory },
    linux: { securityContext: { namespaceOptions: { pid: "CONTAINER" } } },
    ...changes,
  };
}

export function container(
  name: string,
  command: readonly string[],
  changes: Partial<ContainerConfig> & { readonly security?: SecurityContext } = {},
): ContainerConfig {
  const { security, ...config } = changes;
  return {
    metadata: { name, attempt: 0 },
    ...{ image: { image: IMAGE }, command, logPath: `${name}.log` },
    linux: {
      securityContext: {
        namespaceOptions: { pid: "CONTAINER" },
        ...{ maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS },
        ...security,
      },
    },
    ...config,
  };
}

/** A container's log in CRI's format. */
export function logOf(config: PodConfig, name: string): string {
  return readFileSync(`${config.logDirectory}/${name}.log`, "utf8");
}
