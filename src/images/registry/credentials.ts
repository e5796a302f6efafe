/**
 * Who one is at a registry, from the files that podman, skopeo and docker share: containers-auth.json(5),
 * docker's config.json, and the credential helpers that they name.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import {
  type Credentials,
  eraseFromHelper,
  readFromHelper,
  storeInHelper,
} from "./credential-helper.ts";

export interface CredentialOptions {
  /** --authfile: instead of all others. */
  readonly authFile?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

interface AuthEntry {
  /** base64 of USER:PASSWORD. */
  readonly auth?: string;
  readonly identitytoken?: string;
}

interface AuthFile {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/**
 * For `host/repository`, the entry that says most of it counts: "host/team/app", "host/team", "host".
 * undefined where there is none. Throws INVALID_ARGUMENT for a file that cannot be read as one.
 */
export async function readCredentials(
  host: string,
  repository: string,
  options: CredentialOptions = {},
): Promise<Credentials | undefined> {
  for (const path of authFilesToRead(options)) {
    const file = readAuthFile(path);
    const found = file && (await findIn(file, host, repository));
    if (found) return found;
  }
  return undefined;
}

async function findIn(
  { auths = {}, credHelpers = {}, credsStore }: AuthFile,
  host: string,
  repository: string,
): Promise<Credentials | undefined> {
  const byKey = new Map(Object.entries(auths).map(([key, entry]) => [normalizeKey(key), entry]));
  for (const key of keysOf(host, repository)) {
    const helper = credHelpers[key];
    const found = helper === undefined ? undefined : await readFromHelper(helper, key);
    const credentials = found ?? parseEntry(byKey.get(key));
    if (credentials) return credentials;
  }
  return credsStore ? readFromHelper(credsStore, helperKey(host)) : undefined;
}

function keysOf(host: string, repository: string): readonly string[] {
  const parts = repository === "" ? [] : repository.split("/");
  const below = parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join("/"));
  return [...below, host];
}

/** docker writes "https://HOST/v1/" in old entries, and has a name of its own for Docker Hub. */
function normalizeKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
  return bare === "index.docker.io" || bare === "registry-1.docker.io" ? "docker.io" : bare;
}

function helperKey(host: string): string {
  return host === "docker.io" ? "https://index.docker.io/v1/" : host;
}

function parseEntry(entry: AuthEntry | undefined): Credentials | undefined {
  if (entry?.identitytoken) return { kind: "identity", token: entry.identitytoken };
  const text = Buffer.from(entry?.auth ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0) return undefined;
  const password = text.slice(colon + 1).replaceAll("\0", "");
  return { kind: "password", username: text.slice(0, colon), password };
}

/** Writes credentials down. Answers the file or helper that has them now. */
export async function writeCredentials(
  key: string,
  credentials: Extract<Credentials, { kind: "password" }>,
  options: CredentialOptions = {},
): Promise<string> {
  const path = authFileToWrite(options);
  const file = readAuthFile(path) ?? {};
  const helper = file.credHelpers?.[key] ?? file.credsStore;
  if (helper) {
    await storeInHelper(helper, key, credentials);
    return `docker-credential-${helper}`;
  }
  const { username, password } = credentials;
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  writeAuthFile(path, { ...file, auths: { ...file.auths, [key]: { auth } } });
  return path;
}

/** Forgets credentials; false where there were none. Without a key, all of them. */
export async function removeCredentials(
  key: string | undefined,
  options: CredentialOptions = {},
): Promise<boolean> {
  const path = authFileToWrite(options);
  const file = readAuthFile(path);
  if (!file) return false;
  const { auths = {}, credHelpers = {} } = file;
  const helpers = key === undefined ? Object.entries(credHelpers) : [[key, credHelpers[key]]];
  let removed = false;
  for (const [server = "", helper] of helpers) {
    if (helper !== undefined) removed = (await eraseFromHelper(helper, server)) || removed;
  }
  const kept = Object.entries(auths).filter(
    ([name]) => key !== undefined && normalizeKey(name) !== key,
  );
  if (kept.length === Object.keys(auths).length) return removed;
  writeAuthFile(path, { ...file, auths: Object.fromEntries(kept) });
  return true;
}

function authFilesToRead({ authFile, environment = process.env }: CredentialOptions) {
  if (authFile !== undefined) return [authFile];
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, HOME = "/root" } = environment;
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE];
  const runtime = runtimeAuthFile(environment);
  return [
    ...(runtime === undefined ? [] : [runtime]),
    lastingAuthFile(environment),
    join(DOCKER_CONFIG ?? join(HOME, ".docker"), "config.json"),
  ];
}

function authFileToWrite({ authFile, environment = process.env }: CredentialOptions): string {
  if (authFile !== undefined) return authFile;
  const { REGISTRY_AUTH_FILE } = environment;
  return REGISTRY_AUTH_FILE || (runtimeAuthFile(environment) ?? lastingAuthFile(environment));
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * It is forgotten with the session, or with the boot. undefined for a user, also in a user namespace of
 * his own, who has no directory for that: /run/containers is root's.
 */
function runtimeAuthFile({ XDG_RUNTIME_DIR, TSRUN_ROOTLESS_UID }: Environment) {
  if (XDG_RUNTIME_DIR) return join(XDG_RUNTIME_DIR, "containers/auth.json");
  const isRoot = TSRUN_ROOTLESS_UID === undefined && process.geteuid?.() === 0;
  return isRoot ? "/run/containers/0/auth.json" : undefined;
}

function lastingAuthFile({ HOME = "/root", XDG_CONFIG_HOME }: Environment): string {
  return join(XDG_CONFIG_HOME ?? join(HOME, ".config"), "containers/auth.json");
}

function readAuthFile(path: string): AuthFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw new TsrunError("INVALID_ARGUMENT", `cannot read the credentials in "${path}"`, {
      hint: "Check its permissions.",
      cause: error,
    });
  }
  if (text.trim() === "") return {};
  try {
    const file = JSON.parse(text) as unknown;
    if (typeof file === "object" && file !== null) return file;
  } catch {
    // What follows says it with the file's name.
  }
  throw new TsrunError("INVALID_ARGUMENT", `the credentials in "${path}" are not JSON`, {
    hint: "Correct the file or remove it, and use `tsrun login` again.",
  });
}

function writeAuthFile(path: string, file: AuthFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomic(path, `${JSON.stringify(file, undefined, "\t")}\n`, { mode: 0o600 });
}
