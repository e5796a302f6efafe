/**
 * The texts of /etc/hosts, /etc/resolv.conf, /etc/hostname and /run/.containerenv. Pure.
 */
import type { EtcFile } from "../engine.ts";
import type { ContainerConfig } from "../records.ts";
import type { ContainerRequest } from "../request.ts";

export interface EtcFacts {
  readonly hostname: string;
  /** The host's own files; "" where there is none. */
  readonly hostHosts: string;
  readonly hostResolvConf: string;
}

export function composeEtcFiles(
  config: ContainerConfig,
  facts: EtcFacts,
): Readonly<Record<EtcFile, string>> {
  return {
    hosts: composeHosts(config.request, facts),
    "resolv.conf": composeResolvConf(config.request, facts),
    hostname: `${facts.hostname}\n`,
    containerenv: composeContainerenv(config),
  };
}

/** With the host's network the host's names mean the same; without it they lead nowhere. hosts(5). */
function composeHosts(request: ContainerRequest, { hostname, hostHosts }: EtcFacts): string {
  const base =
    request.namespaces?.network?.kind === "host" && hostHosts !== ""
      ? `${hostHosts.trimEnd()}\n`
      : "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  const own = hostname === "localhost" ? "" : `127.0.1.1\t${hostname}\n`;
  const added = (request.addHosts ?? []).map(({ name, address }) => `${address}\t${name}\n`);
  return [...added, base, own].join("");
}

/** --dns replaces the host's servers; search domains and options stay. resolv.conf(5). */
function composeResolvConf({ dns }: ContainerRequest, { hostResolvConf }: EtcFacts): string {
  if (!dns || dns.length === 0) return hostResolvConf;
  const kept = hostResolvConf
    .split("\n")
    .filter((line) => line !== "" && !/^\s*(nameserver\b|[#;])/.test(line));
  return [...dns.map((server) => `nameserver ${server}`), ...kept, ""].join("\n");
}

/** Programs look for this file to learn that they are in a container; podman's keys. */
function composeContainerenv({ id, name, image }: ContainerConfig): string {
  const lines = [
    'engine="tsrun"',
    `name="${name}"`,
    `id="${id}"`,
    ...(image ? [`image="${image.reference}"`, `imageid="${image.id}"`] : []),
    "rootless=0",
  ];
  return `${lines.join("\n")}\n`;
}
