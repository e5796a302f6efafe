/**
 * --dns and --add-host: what /etc/resolv.conf and /etc/hosts say.
 */
import { isIP } from "node:net";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";

export function parseDns(text: string): string {
  if (isIP(text) !== 0) return text;
  if (text === "none") {
    throw unsupportedValue(
      "--dns",
      text,
      "a container without /etc/resolv.conf is not there yet",
      "Mount a file of your own with --volume FILE:/etc/resolv.conf, or leave --dns out.",
    );
  }
  throw invalidValue("--dns", text, "it is not an address", "Give an IPv4 or IPv6 address.");
}

/** "NAME:ADDRESS", and podman's "NAME;NAME:ADDRESS". An IPv6 address may stand in brackets. */
export function parseAddHost(
  text: string,
): readonly { readonly name: string; readonly address: string }[] {
  const flag = "--add-host";
  const at = text.indexOf(":");
  const names = text.slice(0, at).split(";");
  const address = text.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
  if (address === "host-gateway") {
    throw unsupportedValue(
      flag,
      text,
      "there is no gateway without a bridge network",
      "Give an address.",
    );
  }
  if (at < 1 || isIP(address) === 0 || names.some((name) => !/^[a-zA-Z0-9._-]+$/.test(name))) {
    throw invalidValue(
      flag,
      text,
      "it is not NAME:ADDRESS",
      "Write it as db:10.0.0.2 or db:[fd00::2].",
    );
  }
  return names.map((name) => ({ name, address }));
}
