/**
 * --network, --pid, --ipc, --uts, --cgroupns: whose namespace the container gets.
 */
import type { NamespaceChoice } from "../../engine/index.ts";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";

/** What pid, ipc, uts and cgroup have in common; `own` are a flag's other words for a private one. */
export function parseNamespace(
  flag: string,
  text: string,
  own: readonly string[] = [],
): NamespaceChoice {
  if (text === "private" || own.includes(text)) return { kind: "private" };
  if (text === "host") return { kind: "host" };
  const [kind = "", ...rest] = text.split(":");
  const value = rest.join(":");
  if (kind === "container" && value !== "") return { kind: "container", container: value };
  if (kind === "ns" && value.startsWith("/")) return { kind: "path", path: value };
  throw invalidValue(
    flag,
    text,
    "it names no namespace",
    `Use ${[...own, "private", "host", "container:NAME", "ns:/path"].join(", ")}.`,
  );
}

export function parseIpc(text: string): NamespaceChoice {
  if (text === "none") {
    throw unsupportedValue(
      "--ipc",
      text,
      "a container without /dev/shm is not there yet",
      "Use private.",
    );
  }
  return parseNamespace("--ipc", text, ["shareable"]);
}

const LATER_NETWORKS = /^(bridge|default|pasta|slirp4netns|macvlan|ipvlan)(:|$)/;

/** none is a network namespace with loopback alone. */
export function parseNetwork(text: string): NamespaceChoice {
  const flag = "--network";
  if (LATER_NETWORKS.test(text)) {
    throw unsupportedValue(
      flag,
      text,
      "networks with addresses of their own are not there yet",
      "Use none (loopback alone), host, ns:/path or container:NAME.",
    );
  }
  return parseNamespace(flag, text, ["none"]);
}
