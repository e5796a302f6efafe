/**
 * Credentials for a registry, tried before they are written down.
 */
import { TsrunError } from "../base/errors.ts";
import { openRegistry, type RegistryAccess } from "./registry/access.ts";
import type { Credentials } from "./registry/credential-helper.ts";
import { readCredentials, removeCredentials, writeCredentials } from "./registry/credentials.ts";
import { planSources } from "./registry/plan-sources.ts";
import { readRegistriesConf } from "./registry/registries-conf.ts";

/** "HOST" or "HOST/REPOSITORY", perhaps typed with a scheme. */
function parseKey(text: string): string {
  const key = text.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  const host = key === "index.docker.io/v1" || key === "registry-1.docker.io" ? "docker.io" : key;
  if (/^[\w.-]+(:\d+)?(\/[\w./-]+)?$/.test(host)) return host;
  throw new TsrunError("INVALID_ARGUMENT", `"${text}" is not a registry`, {
    hint: "Write HOST or HOST:PORT, perhaps with a /REPOSITORY.",
  });
}

/** Answers where they were written. Throws REGISTRY_DENIED for credentials that are no good. */
export async function login(
  registry: string,
  credentials: Extract<Credentials, { kind: "password" }>,
  access: RegistryAccess = {},
): Promise<string> {
  const key = parseKey(registry);
  const conf = access.conf ?? readRegistriesConf();
  const name = key.includes("/") ? key : `${key}/login`;
  const address = planSources({ name }, conf).at(-1);
  if (!address) throw new Error("a whole name has a place");
  await using opened = await openRegistry(address, { ...access, credentials });
  await opened.login();
  return writeCredentials(key, credentials, access);
}

/** Who one is logged in as; undefined for nobody. */
export async function loggedInAs(
  registry: string,
  access: RegistryAccess = {},
): Promise<string | undefined> {
  const [host = "", ...repository] = parseKey(registry).split("/");
  const found = await readCredentials(host, repository.join("/"), access);
  return found?.kind === "password" ? found.username : found && "<token>";
}

/** Of one registry, or without one of all. Throws NOT_FOUND where nobody was logged in. */
export async function logout(
  registry: string | undefined,
  access: RegistryAccess = {},
): Promise<void> {
  const key = registry === undefined ? undefined : parseKey(registry);
  if ((await removeCredentials(key, access)) || key === undefined) return;
  throw new TsrunError("NOT_FOUND", `you are not logged in to "${key}"`, {
    hint: "Credentials in docker's config.json are removed by `docker logout`.",
  });
}
