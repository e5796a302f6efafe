/**
 * From the name that was typed to the places where the image may be, in the order in which they are
 * asked: short names become whole ones, prefixes are rewritten, mirrors go first.
 */
import { TsrunError } from "../../base/errors.ts";
import type { ImageReference } from "../reference.ts";

export interface MirrorRule {
  readonly location: string;
  readonly insecure: boolean;
  readonly pull: "all" | "digest-only" | "tag-only";
}

export interface RegistryRule {
  /** "registry.example", "registry.example/team" or "*.example". */
  readonly prefix: string;
  /** What the prefix is replaced by; undefined for itself. */
  readonly location: string | undefined;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly MirrorRule[];
}

export interface RegistriesConf {
  /** undefined where no file says it. */
  readonly searchRegistries: readonly string[] | undefined;
  readonly registries: readonly RegistryRule[];
  /** Short name → whole name; an empty one takes an alias of an earlier file away. */
  readonly aliases: ReadonlyMap<string, string>;
}

export const NO_REGISTRIES_CONF: RegistriesConf = {
  searchRegistries: undefined,
  registries: [],
  aliases: new Map(),
};

/** Where a repository is. */
export interface RegistryAddress {
  /** With its port. */
  readonly host: string;
  readonly repository: string;
  readonly insecure: boolean;
}

const DOCKER_HUB = "docker.io";
/** Searched where no configuration says otherwise: what everybody means by "debian". */
const DEFAULT_SEARCH: readonly string[] = [DOCKER_HUB];

/** "debian" has no host; "localhost/x", "host.example/x" and "host:5000/x" have one. */
export function hasRegistry(name: string): boolean {
  const [first = "", ...rest] = name.split("/");
  return rest.length > 0 && (first === "localhost" || /[.:]/.test(first));
}

/** The whole names that a name may stand for; one that is whole already stands for itself. */
export function expandName(name: string, { searchRegistries, aliases }: RegistriesConf): string[] {
  if (hasRegistry(name)) return [canonicalName(name)];
  const alias = aliases.get(name);
  if (alias !== undefined && alias !== "") return [canonicalName(alias)];
  return (searchRegistries ?? DEFAULT_SEARCH).map((host) => canonicalName(`${host}/${name}`));
}

/** Docker Hub's own images are in "library", and it has had several names. */
function canonicalName(name: string): string {
  const [host = "", ...path] = name.split("/");
  const isHub =
    host === DOCKER_HUB || host === "index.docker.io" || host === "registry-1.docker.io";
  if (!isHub) return name;
  return [DOCKER_HUB, ...(path.length === 1 ? ["library"] : []), ...path].join("/");
}

/**
 * Where a whole name is looked for, mirrors first. Throws REGISTRY_DENIED for one that registries.conf
 * blocks. containers-registries.conf(5), "Choosing a [[registry]] TOML table" and "Remapping".
 */
export function planSources(
  { name, digest }: Pick<ImageReference, "name" | "digest">,
  { registries }: RegistriesConf,
): readonly RegistryAddress[] {
  const rule = longestMatch(name, registries);
  if (!rule) return [addressOf(name, false)];
  if (rule.blocked) {
    throw new TsrunError("REGISTRY_DENIED", `registries.conf blocks "${name}"`, {
      hint: `Its [[registry]] "${rule.prefix}" says blocked = true.`,
    });
  }
  const mirrors = rule.mirrors
    .filter(({ pull }) => pull === "all" || (pull === "digest-only") === (digest !== undefined))
    .map(({ location, insecure }) => addressOf(rewrite(name, rule, location), insecure));
  const own = rule.location === undefined ? name : rewrite(name, rule, rule.location);
  return [...mirrors, addressOf(own, rule.insecure)];
}

function longestMatch(name: string, registries: readonly RegistryRule[]): RegistryRule | undefined {
  return registries
    .filter(({ prefix }) => matchedLength(name, prefix) !== undefined)
    .toSorted((a, b) => b.prefix.length - a.prefix.length)[0];
}

/** How much of the name the prefix stands for. */
function matchedLength(name: string, prefix: string): number | undefined {
  if (prefix.startsWith("*.")) {
    const host = name.split("/")[0] ?? "";
    const bare = host.replace(/:\d+$/, "");
    return bare.endsWith(prefix.slice(1)) ? host.length : undefined;
  }
  const ends =
    name === prefix || (name.startsWith(prefix) && /^[/:@]/.test(name.slice(prefix.length)));
  return ends ? prefix.length : undefined;
}

function rewrite(name: string, { prefix }: RegistryRule, location: string): string {
  return `${location}${name.slice(matchedLength(name, prefix) ?? 0)}`;
}

function addressOf(name: string, insecure: boolean): RegistryAddress {
  const slash = name.indexOf("/");
  return { host: name.slice(0, slash), repository: name.slice(slash + 1), insecure };
}

/** Docker Hub answers at another host than it is called by. */
export function apiHost(host: string): string {
  return host === DOCKER_HUB ? "registry-1.docker.io" : host;
}
