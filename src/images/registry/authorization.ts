/**
 * Answering a registry's challenges: Basic credentials, or a token that a token server gives for them.
 * distribution's "Token Authentication Specification", and docker's "OAuth2 Token Authentication".
 */
import { text } from "node:stream/consumers";
import { TsrunError } from "../../base/errors.ts";
import type { Challenge } from "./challenge.ts";
import type { HttpConnection, HttpRequest } from "./connection.ts";
import type { Credentials } from "./credential-helper.ts";
import { statusError } from "./registry-errors.ts";

/** "repository:team/app:pull,push", several with a space between. */
export type Scope = string;

export class Authorization {
  readonly #connection: HttpConnection;
  readonly #credentials: Credentials | undefined;
  readonly #headers = new Map<Scope, Promise<string | undefined>>();
  #challenges: readonly Challenge[] = [];

  constructor(connection: HttpConnection, credentials: Credentials | undefined) {
    this.#connection = connection;
    this.#credentials = credentials;
  }

  /** What the registry has said that it wants. */
  challenged(challenges: readonly Challenge[]): void {
    if (challenges.length > 0) this.#challenges = challenges;
  }

  /** The Authorization header for requests of this scope; several that ask at once share a token. */
  header(scope: Scope, registry: URL): Promise<string | undefined> {
    const existing = this.#headers.get(scope);
    if (existing !== undefined) return existing;
    const made = this.#make(scope, registry);
    this.#headers.set(scope, made);
    made.catch(() => this.#headers.delete(scope));
    return made;
  }

  /** A token has a life, and the registry says that it is over. */
  forget(scope: Scope): void {
    this.#headers.delete(scope);
  }

  async #make(scope: Scope, registry: URL): Promise<string | undefined> {
    const bearer = this.#challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer) return `Bearer ${await this.#fetchToken(bearer, scope, registry)}`;
    const basic = this.#challenges.some(({ scheme }) => scheme === "basic");
    return basic && this.#credentials?.kind === "password"
      ? basicHeader(this.#credentials)
      : undefined;
  }

  async #fetchToken({ parameters }: Challenge, scope: Scope, registry: URL): Promise<string> {
    const realm = this.#parseRealm(parameters.get("realm") ?? "", registry);
    const service = parameters.get("service");
    const request = tokenRequest(realm, { service, scope, credentials: this.#credentials });
    const response = await this.#connection.request(request);
    if (response.status !== 200) throw await statusError(response, "a token for it");
    const token = parseToken(await text(response.body));
    if (token !== undefined) return token;
    throw new TsrunError("REGISTRY_UNAVAILABLE", `"${realm.host}" gives no token`, {
      hint: "The registry's token server answers with something else.",
    });
  }

  /** Passwords are not sent in the clear because somebody's registry says so. */
  #parseRealm(realm: string, registry: URL): URL {
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    const encrypted = url?.protocol === "https:";
    if (url && (encrypted || (url.protocol === "http:" && this.#mayBePlain(registry)))) return url;
    throw new TsrunError(
      "REGISTRY_DENIED",
      `"${registry.host}" sends for a token to "${realm}", which is not encrypted`,
      { hint: "If it is yours and this is meant, use --tls-verify=false." },
    );
  }

  #mayBePlain(registry: URL): boolean {
    return this.#connection.insecure || (!this.#credentials && registry.protocol === "http:");
  }
}

function basicHeader({ username, password }: Extract<Credentials, { kind: "password" }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function tokenRequest(
  realm: URL,
  what: {
    readonly service: string | undefined;
    readonly scope: Scope;
    readonly credentials: Credentials | undefined;
  },
): HttpRequest {
  const { service, scope, credentials } = what;
  const query = new URLSearchParams({
    ...(service === undefined ? {} : { service }),
    ...(credentials?.kind === "password" ? { account: credentials.username } : {}),
  });
  if (credentials?.kind === "identity") {
    query.set("grant_type", "refresh_token");
    query.set("refresh_token", credentials.token);
    query.set("client_id", "tsrun");
    if (scope !== "") query.set("scope", scope);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm, headers, body: () => query.toString() };
  }
  for (const one of scope.split(" ").filter(Boolean)) query.append("scope", one);
  const url = new URL(realm);
  for (const [name, value] of query) url.searchParams.append(name, value);
  return {
    method: "GET",
    url,
    ...(credentials ? { headers: { authorization: basicHeader(credentials) } } : {}),
  };
}

function parseToken(body: string): string | undefined {
  try {
    const { token, access_token } = JSON.parse(body) as Record<string, unknown>;
    const found = token ?? access_token;
    // It becomes part of a header.
    return typeof found === "string" && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined; // what is missing is told where the token is wanted
  }
}
