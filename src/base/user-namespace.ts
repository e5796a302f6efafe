import { readFileSync } from "node:fs";

let inside: boolean | undefined;

/**
 * Whether this process is in a user namespace below the host's: its root is then not the host's. Only
 * the host's first namespace has all ids, each as itself. user_namespaces(7).
 */
export function isInUserNamespace(): boolean {
  inside ??= !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  return inside;
}
