/**
 * The door to registries. What is behind it (HTTP, TLS, TOML) takes longer to load than most commands
 * run: it is loaded when it is called.
 */
import { findName } from "./manage.ts";
import type { FetchedUrl } from "./registry/fetch-url.ts";
import type { ImageStore } from "./store.ts";

type Pull = typeof import("./pull.ts");
type Push = typeof import("./push.ts");
type Login = typeof import("./login.ts");
type Referrers = typeof import("./referrers.ts");
type FetchUrl = typeof import("./registry/fetch-url.ts");

export async function pullImage(...args: Parameters<Pull["pullImage"]>) {
  return (await import("./pull.ts")).pullImage(...args);
}

export async function pushImage(...args: Parameters<Push["pushImage"]>) {
  return (await import("./push.ts")).pushImage(...args);
}

export async function login(...args: Parameters<Login["login"]>) {
  return (await import("./login.ts")).login(...args);
}

export async function loggedInAs(...args: Parameters<Login["loggedInAs"]>) {
  return (await import("./login.ts")).loggedInAs(...args);
}

export async function logout(...args: Parameters<Login["logout"]>) {
  return (await import("./login.ts")).logout(...args);
}

export async function listReferrers(...args: Parameters<Referrers["listReferrers"]>) {
  return (await import("./referrers.ts")).listReferrers(...args);
}

export async function fetchUrl<T>(
  url: URL,
  settings: Parameters<FetchUrl["fetchUrl"]>[1],
  use: (fetched: FetchedUrl) => Promise<T>,
): Promise<T> {
  return (await import("./registry/fetch-url.ts")).fetchUrl(url, settings, use);
}

/**
 * The whole name in the store that a short one stands for by registries.conf; what was typed where
 * that is not needed, or where there is none.
 */
export async function completeName(store: ImageStore, text: string): Promise<string> {
  if (text === "" || findName(store, text) !== undefined) return text;
  const { readRegistriesConf } = await import("./registry/registries-conf.ts");
  return findName(store, text, readRegistriesConf()) ?? text;
}
