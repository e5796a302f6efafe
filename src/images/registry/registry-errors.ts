/**
 * What a registry, or the way to it, answered, as a sentence.
 */
import type { Readable } from "node:stream";
import { TsrunError } from "../../base/errors.ts";
import { isCertificateError } from "./plan-retry.ts";

export function connectionError(
  url: URL,
  error: unknown,
  signal: AbortSignal | undefined,
): TsrunError {
  if (signal?.aborted) {
    return new TsrunError("ABORTED", "it was aborted", { cause: signal.reason });
  }
  const { reason, hint, errno } = explain(error);
  return new TsrunError("REGISTRY_UNAVAILABLE", `cannot talk to "${url.host}": ${reason}`, {
    hint,
    cause: error,
    ...(errno === undefined ? {} : { errno }),
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the name cannot be resolved now",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  ENETUNREACH: "the network is unreachable",
  EHOSTUNREACH: "the host is unreachable",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
  UND_ERR_HEADERS_TIMEOUT: "it does not answer",
  UND_ERR_BODY_TIMEOUT: "it stopped sending",
  UND_ERR_SOCKET: "the connection was closed",
};

/** OpenSSL's words for an answer that is no TLS. */
const NOT_TLS = /wrong version number|packet length too long|unknown protocol|http request/i;

function explain(error: unknown): { reason: string; hint: string; errno?: string } {
  const { code = "", message = String(error) } = firstOf(error);
  if (isCertificateError(code)) {
    return {
      reason: `its certificate is not trusted (${message})`,
      hint: "Put its authority's certificate in /etc/containers/certs.d/HOST/ca.crt, or use --tls-verify=false.",
    };
  }
  if (code === "EPROTO" || NOT_TLS.test(message)) {
    return {
      reason: "it does not speak TLS",
      hint: "A registry without TLS needs --tls-verify=false, or insecure = true in registries.conf.",
    };
  }
  return {
    reason: REASONS[code] ?? message,
    hint: "Check the name, the network, and HTTP_PROXY and HTTPS_PROXY.",
    ...(/^E[A-Z]+$/.test(code) ? { errno: code } : {}),
  };
}

/** Of several addresses that were tried, each has its own error. */
function firstOf(error: unknown): { readonly code?: string; readonly message?: string } {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : undefined;
  return (first ?? error ?? {}) as { code?: string; message?: string };
}

const LONGEST_ERROR_BODY = 16 * 1024;

/** An answer that is an error; `what` was asked for: `the manifest of "team/app:1"`. */
export async function statusError(
  { status, body, url }: { readonly status: number; readonly body: Readable; readonly url: URL },
  what: string,
): Promise<TsrunError> {
  const said = describeBody(await readAtMost(body, LONGEST_ERROR_BODY));
  const where = `"${url.host}"`;
  const words = said === "" ? "" : `: ${said}`;
  if (status === 401 || status === 403) {
    return new TsrunError("REGISTRY_DENIED", `${where} refuses access to ${what}${words}`, {
      hint: `Use \`tsrun login ${url.host}\`, and check that it exists and is yours.`,
    });
  }
  if (status === 404) {
    return new TsrunError("NOT_FOUND", `${where} does not have ${what}${words}`, {
      hint: "Check the name and the tag.",
    });
  }
  const hint =
    status === 429
      ? "It wants fewer requests: log in, or try again later."
      : "Try again later; --debug tells more.";
  const problem = `${where} answers ${status} for ${what}${words}`;
  return new TsrunError("REGISTRY_UNAVAILABLE", problem, { hint });
}

async function readAtMost(body: Readable, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= limit) break;
    }
  } catch {
    // The status says enough; its explanation got lost on the way.
  }
  return Buffer.concat(chunks).toString("utf8").slice(0, limit);
}

interface ErrorBody {
  readonly errors?: readonly { readonly code?: string; readonly message?: string }[];
  readonly details?: string;
  readonly message?: string;
}

/** distribution-spec "Error Codes". */
function describeBody(text: string): string {
  try {
    const { errors = [], details, message } = JSON.parse(text) as ErrorBody;
    const said = errors.map((error) => error.message ?? error.code ?? "").filter(Boolean);
    return oneLine(said.join("; ") || (details ?? message ?? ""));
  } catch {
    // It is a page for people; what matters of it is the status.
    return /^\s*</.test(text) ? "" : oneLine(text.slice(0, 200));
  }
}

/** Somebody else's text goes to a terminal: without control characters. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
}
