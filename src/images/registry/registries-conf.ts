/**
 * containers-registries.conf(5), version 2, as far as it says where images come from: search
 * registries, short-name aliases, prefixes, mirrors, insecure and blocked registries.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import {
  type MirrorRule,
  NO_REGISTRIES_CONF,
  type RegistriesConf,
  type RegistryRule,
} from "./plan-sources.ts";

type Table = Readonly<Record<string, unknown>>;

/** `origin` names the text in errors. Throws INVALID_ARGUMENT. */
export function parseRegistriesConf(text: string, origin: string): RegistriesConf {
  let root: Table;
  try {
    root = parse(text);
  } catch (error) {
    throw invalid(origin, error instanceof Error ? (error.message.split("\n")[0] ?? "") : "");
  }
  if (root["registries"] !== undefined) {
    throw invalid(origin, "version 1 of the format ([registries.search]) is not supported");
  }
  const search = root["unqualified-search-registries"];
  const aliases = tableOf(root["aliases"], "aliases", origin);
  return {
    searchRegistries: search === undefined ? undefined : stringsOf(search, origin),
    registries: tablesOf(root["registry"], "registry", origin).map((table) =>
      parseRegistry(table, origin),
    ),
    aliases: new Map(
      Object.entries(aliases).map(([name, value]) => [name, stringOf(value, name, origin) ?? ""]),
    ),
  };
}

function parseRegistry(table: Table, origin: string): RegistryRule {
  const location = stringOf(table["location"], "location", origin);
  const prefix = stringOf(table["prefix"], "prefix", origin) ?? location;
  if (prefix === undefined) throw invalid(origin, "a [[registry]] has neither prefix nor location");
  const digestOnly = flagOf(table["mirror-by-digest-only"], "mirror-by-digest-only", origin);
  return {
    prefix,
    location,
    insecure: flagOf(table["insecure"], "insecure", origin),
    blocked: flagOf(table["blocked"], "blocked", origin),
    mirrors: tablesOf(table["mirror"], "mirror", origin).map((mirror) =>
      parseMirror(mirror, digestOnly, origin),
    ),
  };
}

function parseMirror(table: Table, digestOnly: boolean, origin: string): MirrorRule {
  const location = stringOf(table["location"], "location", origin);
  if (location === undefined) throw invalid(origin, "a [[registry.mirror]] has no location");
  const pull = stringOf(table["pull-from-mirror"], "pull-from-mirror", origin);
  if (pull !== undefined && pull !== "all" && pull !== "digest-only" && pull !== "tag-only") {
    throw invalid(origin, `pull-from-mirror = "${pull}": use all, digest-only or tag-only`);
  }
  return {
    location,
    insecure: flagOf(table["insecure"], "insecure", origin),
    pull: digestOnly ? "digest-only" : (pull ?? "all"),
  };
}

/** The later counts: its search list replaces, its registries and aliases go over the earlier ones. */
export function mergeRegistriesConf(
  earlier: RegistriesConf,
  later: RegistriesConf,
): RegistriesConf {
  const replaced = new Set(later.registries.map(({ prefix }) => prefix));
  return {
    searchRegistries: later.searchRegistries ?? earlier.searchRegistries,
    registries: [
      ...earlier.registries.filter(({ prefix }) => !replaced.has(prefix)),
      ...later.registries,
    ],
    aliases: new Map([...earlier.aliases, ...later.aliases]),
  };
}

/** The system's file, or the user's instead of it, and the files in registries.conf.d beside it. */
export function readRegistriesConf(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): RegistriesConf {
  const { CONTAINERS_REGISTRIES_CONF, REGISTRIES_CONFIG_PATH, HOME = "/root" } = environment;
  const own = CONTAINERS_REGISTRIES_CONF || REGISTRIES_CONFIG_PATH;
  if (own) return readConf(own) ?? NO_REGISTRIES_CONF;
  const system = "/etc/containers";
  const user = join(environment["XDG_CONFIG_HOME"] ?? join(HOME, ".config"), "containers");
  const files = [
    readConf(join(user, "registries.conf")) ?? readConf(join(system, "registries.conf")),
    ...[system, user].flatMap((directory) => readDropIns(join(directory, "registries.conf.d"))),
  ];
  return files.reduce<RegistriesConf>(
    (merged, file) => (file ? mergeRegistriesConf(merged, file) : merged),
    NO_REGISTRIES_CONF,
  );
}

function readDropIns(directory: string): readonly (RegistriesConf | undefined)[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(".conf"));
    return names.sort().map((name) => readConf(join(directory, name)));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

function readConf(path: string): RegistriesConf | undefined {
  try {
    return parseRegistriesConf(readFileSync(path, "utf8"), path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function tableOf(value: unknown, name: string, origin: string): Table {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Table;
  throw invalid(origin, `"${name}" is not a table`);
}

function tablesOf(value: unknown, name: string, origin: string): readonly Table[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.map((table) => tableOf(table, name, origin));
  throw invalid(origin, `"${name}" is not a list of tables: write [[${name}]]`);
}

function stringsOf(value: unknown, origin: string): readonly string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === "string")) return value;
  throw invalid(origin, "unqualified-search-registries is not a list of names");
}

function stringOf(value: unknown, name: string, origin: string): string | undefined {
  if (value === undefined || typeof value === "string") return value || undefined;
  throw invalid(origin, `"${name}" is not a string`);
}

function flagOf(value: unknown, name: string, origin: string): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw invalid(origin, `"${name}" is neither true nor false`);
}

function invalid(origin: string, problem: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `"${origin}" is wrong: ${problem}`, {
    hint: "See containers-registries.conf(5).",
  });
}
