/**
 * One repository of a registry, over the OCI distribution specification 1.1: manifests, blobs,
 * referrers. Bytes are given as they come; who asked checks them.
 */
import { TsrunError } from "../../base/errors.ts";
import { Authorization, type Scope } from "./authorization.ts";
import { parseChallenges } from "./challenge.ts";
import {
  type ConnectionSettings,
  HttpConnection,
  type HttpRequest,
  type HttpResponse,
} from "./connection.ts";
import type { Credentials } from "./credential-helper.ts";
import { apiHost, type RegistryAddress } from "./plan-sources.ts";
import { statusError } from "./registry-errors.ts";

export interface RegistryOptions extends ConnectionSettings {
  readonly credentials?: Credentials;
}

/** A request below /v2/; `what` names it in errors. */
export interface ApiRequest extends Omit<HttpRequest, "url"> {
  /** Below "/v2/", or a URL that the registry has given. */
  readonly path: string | URL;
  readonly what: string;
  /** "pull" without it. */
  readonly actions?: "pull" | "pull,push";
  /** Repositories that it must be allowed to read besides. */
  readonly alsoPull?: string;
  /** Statuses that are answers; others are thrown. */
  readonly expect: readonly number[];
}

export class Registry implements AsyncDisposable {
  readonly address: RegistryAddress;
  readonly #connection: HttpConnection;
  readonly #authorization: Authorization;
  #base: Promise<URL> | undefined;

  constructor(address: RegistryAddress, { credentials, ...settings }: RegistryOptions) {
    this.address = address;
    const insecure = settings.insecure ?? address.insecure;
    this.#connection = new HttpConnection(apiHost(address.host), { ...settings, insecure });
    this.#authorization = new Authorization(this.#connection, credentials);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]();
  }

  /** "host/repository", as in an image's name. */
  get name(): string {
    return `${this.address.host}/${this.address.repository}`;
  }

  pause(pauseMs: number): Promise<void> {
    return this.#connection.pause(pauseMs);
  }

  /** Proves that the credentials are good, if the registry wants some. Throws REGISTRY_DENIED. */
  async login(): Promise<void> {
    const { body } = await this.api({
      method: "GET",
      path: "",
      what: "it with these credentials",
      expect: [200],
    });
    body.destroy();
  }

  /** The answer of a request that is authorized as the registry wants. Throws what statusError says. */
  async api(request: ApiRequest): Promise<HttpResponse> {
    const base = await this.#reach();
    const url = typeof request.path === "string" ? new URL(request.path, base) : request.path;
    const response = await this.#authorized(request, url, base);
    if (request.expect.includes(response.status)) return response;
    throw await statusError(response, request.what);
  }

  async #authorized(request: ApiRequest, url: URL, base: URL): Promise<HttpResponse> {
    const { path: _, what: __, actions, alsoPull, expect: ___, headers, ...http } = request;
    const scope = this.#scope(actions, alsoPull, request.path === "");
    // A URL of another host, such as a storage's that has its own signature, gets no credentials.
    const own = url.origin === base.origin;
    for (let attempt = 1; ; attempt += 1) {
      const authorization = own ? await this.#authorization.header(scope, base) : undefined;
      const sent = { ...headers, ...(authorization ? { authorization } : {}) };
      const response = await this.#connection.request({ ...http, url, headers: sent });
      if (response.status !== 401 || !own || attempt > 1) return response;
      response.body.destroy();
      this.#authorization.challenged(challengesOf(response));
      this.#authorization.forget(scope);
    }
  }

  #scope(actions = "pull", alsoPull: string | undefined, ping: boolean): Scope {
    if (ping) return "";
    const own = `repository:${this.address.repository}:${actions}`;
    return alsoPull === undefined ? own : `${own} repository:${alsoPull}:pull`;
  }

  /** Where the API is, and what it wants to see: https, or for an insecure registry perhaps http. */
  #reach(): Promise<URL> {
    this.#base ??= this.#probe();
    this.#base.catch(() => {
      this.#base = undefined;
    });
    return this.#base;
  }

  async #probe(): Promise<URL> {
    const host = apiHost(this.address.host);
    const encrypted = `https://${host}/v2/`;
    if (!URL.canParse(encrypted)) throw badHost(host);
    try {
      return await this.#probeAt(new URL(encrypted));
    } catch (error) {
      if (!this.#connection.insecure || !isUnreachable(error)) throw error;
      try {
        return await this.#probeAt(new URL(`http://${host}/v2/`));
      } catch (plainError) {
        throw isUnreachable(plainError) ? plainError : error;
      }
    }
  }

  async #probeAt(url: URL): Promise<URL> {
    // Whether an insecure registry has TLS at all is just being found out.
    const isGuess = this.#connection.insecure && url.protocol === "https:";
    const response = await this.#connection.request({ method: "GET", url, repeatable: !isGuess });
    response.body.destroy();
    this.#authorization.challenged(challengesOf(response));
    if (response.status === 200 || response.status === 401) return url;
    if (response.status === 404) throw noRegistry(url.host);
    // Some want no ping; what is asked next will be told apart.
    if (response.status === 403) return url;
    throw await statusError(response, "its API");
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof TsrunError && error.code === "REGISTRY_UNAVAILABLE";
}

function challengesOf({ headers }: HttpResponse) {
  return parseChallenges(headers.get("www-authenticate") ?? []);
}

function badHost(host: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `"${host}" is not the name of a registry`, {
    hint: "Write HOST or HOST:PORT.",
  });
}

function noRegistry(host: string): TsrunError {
  return new TsrunError("REGISTRY_UNAVAILABLE", `"${host}" is not a registry`, {
    hint: "It has no /v2/ for the distribution API.",
  });
}
