/**
 * HTTP to one registry: through a proxy where one is set, with its certificates, with patience. Says
 * nothing of what is asked: see registry.ts.
 */
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { TsrunError } from "../../base/errors.ts";
import { type CertificateOptions, readSecureContext } from "./certificates.ts";
import { planProxy } from "./plan-proxy.ts";
import { type Outcome, planRetry, RETRY_POLICY, type RetryPolicy } from "./plan-retry.ts";
import { connectionError } from "./registry-errors.ts";

export interface ConnectionSettings extends CertificateOptions {
  /** Any certificate will do, and plain HTTP too: --tls-verify=false, or "insecure" in registries.conf. */
  readonly insecure?: boolean;
  readonly retry?: RetryPolicy;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each attempt. */
  readonly body?: () => Readable | Buffer | string;
  /** false where asking twice could do harm: the answer to the first try may just have got lost. */
  readonly repeatable?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Readable;
  /** Where it came from in the end. */
  readonly url: URL;
}

/** A registry that says nothing for so long is gone. */
const SILENCE_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 15_000;
const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export class HttpConnection implements AsyncDisposable {
  readonly #host: string;
  readonly #settings: ConnectionSettings;
  readonly #agents = new Map<string, Dispatcher>();
  #hasAnswered = false;

  /** `host` with its port, which certs.d is looked up by. */
  constructor(host: string, settings: ConnectionSettings) {
    this.#host = host;
    this.#settings = settings;
  }

  get insecure(): boolean {
    return this.#settings.insecure ?? false;
  }

  /**
   * The response to a GET or HEAD that was followed wherever it leads; credentials go to the first host
   * only. Any status is a response, and its body must be read or destroyed. Throws
   * REGISTRY_UNAVAILABLE, ABORTED.
   */
  async request(request: HttpRequest): Promise<HttpResponse> {
    let { url, headers = {} } = request;
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.#patiently({ ...request, url, headers });
      const location = response.headers.get("location")?.[0];
      const followed = request.method === "GET" || request.method === "HEAD";
      if (!followed || !REDIRECTS.has(response.status) || location === undefined) return response;
      response.body.destroy();
      const next = this.#redirected(url, location, redirects);
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      url = next;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
  }

  #redirected(from: URL, location: string, redirects: number): URL {
    const next = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
    const reason =
      redirects >= MAX_REDIRECTS
        ? "in circles"
        : next === undefined || !/^https?:$/.test(next.protocol)
          ? `to "${location}"`
          : from.protocol === "https:" && next.protocol === "http:" && !this.insecure
            ? `to "${next.origin}", which is not encrypted`
            : undefined;
    if (next !== undefined && reason === undefined) return next;
    throw new TsrunError("REGISTRY_UNAVAILABLE", `"${this.#host}" leads ${reason}`, {
      hint: "The registry, or a proxy before it, is set up wrongly.",
    });
  }

  async #patiently(request: HttpRequest): Promise<HttpResponse> {
    const { retry: policy = RETRY_POLICY, signal } = this.#settings;
    for (let attempt = 1; ; attempt += 1) {
      const tried = await this.#once(request);
      const pauseMs =
        request.repeatable === false
          ? undefined
          : planRetry(tried.outcome, attempt, { policy, random: Math.random(), nowMs: Date.now() });
      if (pauseMs === undefined) {
        if ("response" in tried) return tried.response;
        throw connectionError(request.url, tried.error, signal);
      }
      if ("response" in tried) tried.response.body.destroy();
      await this.pause(pauseMs);
    }
  }

  /** Rejects with ABORTED. */
  async pause(pauseMs: number): Promise<void> {
    const { signal } = this.#settings;
    try {
      await sleep(pauseMs, undefined, signal ? { signal } : {});
    } catch (error) {
      throw connectionError(new URL(`https://${this.#host}`), error, signal);
    }
  }

  async #once(request: HttpRequest): Promise<Attempt> {
    const { method, url, headers = {}, body } = request;
    const { signal } = this.#settings;
    try {
      const answer = await this.#agent(url).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { "user-agent": "tsrun", ...headers },
        ...(body === undefined ? {} : { body: body() }),
        ...(signal ? { signal } : {}),
        headersTimeout: SILENCE_TIMEOUT_MS,
        bodyTimeout: SILENCE_TIMEOUT_MS,
      });
      // A body that is thrown away may still fail: nobody wants to know.
      answer.body.on("error", () => {});
      const response = {
        status: answer.statusCode,
        headers: headerMap(answer.headers),
        body: answer.body as Readable,
        url,
      };
      this.#hasAnswered = true;
      const retryAfter = response.headers.get("retry-after")?.[0];
      return { response, outcome: { kind: "status", status: response.status, retryAfter } };
    } catch (error) {
      if (error instanceof TsrunError) throw error;
      if (signal?.aborted) throw connectionError(url, error, signal);
      const { code } = error as { code?: string };
      return { error, outcome: { kind: "error", code, hasAnswered: this.#hasAnswered } };
    }
  }

  /** Connections are kept open, so there is one agent for each host and way to it. */
  #agent(url: URL): Dispatcher {
    const proxy = planProxy(url, this.#settings.environment ?? process.env);
    const key = `${url.origin} ${proxy ?? ""}`;
    const existing = this.#agents.get(key);
    if (existing) return existing;
    const tls = url.protocol === "https:" ? this.#tls(url.host) : {};
    const agent =
      proxy === undefined
        ? new Agent({ connect: { ...tls, timeout: CONNECT_TIMEOUT_MS } })
        : new ProxyAgent({
            uri: proxy,
            // An http URL is asked of the proxy itself; only https needs a tunnel.
            proxyTunnel: url.protocol === "https:",
            requestTls: { ...tls, timeout: CONNECT_TIMEOUT_MS },
          });
    this.#agents.set(key, agent);
    return agent;
  }

  #tls(host: string): Required<Pick<ConnectionOptions, "secureContext" | "rejectUnauthorized">> {
    const { certDir, home } = this.#settings;
    const own = host === this.#host;
    const secureContext = readSecureContext(host, {
      ...(certDir !== undefined && own ? { certDir } : {}),
      ...(home === undefined ? {} : { home }),
    });
    return { secureContext, rejectUnauthorized: !this.insecure };
  }
}

type Attempt =
  | { readonly response: HttpResponse; readonly outcome: Outcome }
  | { readonly error: unknown; readonly outcome: Outcome };

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(authorization|cookie)$/i.test(name)),
  );
}

function headerMap(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), [value].flat()] as const],
    ),
  );
}
