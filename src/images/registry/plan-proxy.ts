/**
 * Which proxy a request goes through, by the variables that every client knows: HTTP_PROXY,
 * HTTPS_PROXY, ALL_PROXY and NO_PROXY, also in lower case, read as Go's clients (podman, docker) do.
 */
import { TsrunError } from "../../base/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** undefined for a direct connection. Throws INVALID_ARGUMENT for a proxy that is no URL. */
export function planProxy(url: URL, environment: Environment): string | undefined {
  const named = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined;
  const proxy =
    (url.protocol === "https:" ? named("HTTPS_PROXY") : named("HTTP_PROXY")) ?? named("ALL_PROXY");
  if (proxy === undefined || isExcepted(url, named("NO_PROXY") ?? "")) return undefined;
  const text = proxy.includes("://") ? proxy : `http://${proxy}`;
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new TsrunError("INVALID_ARGUMENT", `the proxy "${proxy}" is not an http or https URL`, {
    hint: "Correct or unset HTTP_PROXY, HTTPS_PROXY or ALL_PROXY.",
  });
}

/** The machine itself is never asked for through a proxy. golang.org/x/net/http/httpproxy. */
function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (host === "localhost" || host === "::1" || /^127\./.test(host)) return true;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list.split(",").some((entry) => excepts(entry.trim().toLowerCase(), host, port));
}

function excepts(entry: string, host: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  if (entry.includes("/")) return isInSubnet(host, entry);
  const [, name = entry, wanted] = /^(.+?):(\d+)$/.exec(entry) ?? [];
  if (wanted !== undefined && wanted !== port) return false;
  // ".example.org" and "*.example.org" stand for names below it alone, "example.org" for itself too.
  if (name.startsWith(".")) return host.endsWith(name);
  if (name.startsWith("*.")) return host.endsWith(name.slice(1));
  return host === name || (!isAddress(name) && host.endsWith(`.${name}`));
}

function isAddress(text: string): boolean {
  return ipv4(text) !== undefined || text.includes(":");
}

function isInSubnet(host: string, subnet: string): boolean {
  const [base = "", bits = ""] = subnet.split("/");
  const address = ipv4(host);
  const network = ipv4(base);
  const length = Number(bits);
  if (address === undefined || network === undefined || !(length >= 0 && length <= 32))
    return false;
  const size = 2 ** (32 - length);
  return Math.floor(address / size) === Math.floor(network / size);
}

function ipv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (!parts || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}
