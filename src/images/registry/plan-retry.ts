/**
 * When a request is worth another try, and after how long.
 */

export interface RetryPolicy {
  /** Requests at most, the first one counted. */
  readonly attempts: number;
  /** The pause before the second; it doubles from then on. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** A registry that wants to be left alone for longer than this is an error. */
  readonly longestRetryAfterMs: number;
}

export const RETRY_POLICY: RetryPolicy = {
  attempts: 6,
  firstPauseMs: 250,
  longestPauseMs: 10_000,
  longestRetryAfterMs: 90_000,
};

/** Overloaded, restarting, or behind a proxy that is. RFC 9110 "Status Codes", RFC 6585. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Nothing about these changes by asking again. */
const LASTING_ERRNOS: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EACCES",
  "EPERM",
  "ENETUNREACH",
  "EPROTO",
]);

export type Outcome =
  | { readonly kind: "status"; readonly status: number; readonly retryAfter: string | undefined }
  | {
      readonly kind: "error";
      readonly code: string | undefined;
      /** It has been heard of before: one that refuses now is just restarting. */
      readonly hasAnswered: boolean;
    };

/** The pause before the next attempt; undefined when there is none. `random` is from 0 to 1. */
export function planRetry(
  outcome: Outcome,
  attempt: number,
  { policy, random, nowMs }: { policy: RetryPolicy; random: number; nowMs: number },
): number | undefined {
  if (attempt >= policy.attempts || !isPassing(outcome)) return undefined;
  const asked = outcome.kind === "status" ? parseRetryAfter(outcome.retryAfter, nowMs) : undefined;
  if (asked !== undefined) return asked > policy.longestRetryAfterMs ? undefined : asked;
  const pause = backOffMs(attempt, policy);
  // Many clients that were cut off together should not come back together.
  return pause * (0.5 + random / 2);
}

/** The pause after so many failures in a row: each is twice as long. */
export function backOffMs(failures: number, policy: RetryPolicy): number {
  return Math.min(policy.firstPauseMs * 2 ** (failures - 1), policy.longestPauseMs);
}

function isPassing(outcome: Outcome): boolean {
  if (outcome.kind === "status") return PASSING_STATUSES.has(outcome.status);
  const { code = "", hasAnswered } = outcome;
  if (code === "ECONNREFUSED") return hasAnswered;
  return !LASTING_ERRNOS.has(code) && !isCertificateError(code) && !code.startsWith("ERR_SSL");
}

/** Node's names of what is wrong with a certificate (tls, "X509 certificate error codes"). */
export function isCertificateError(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)/.test(
    code,
  );
}

/** Seconds, or a date. RFC 9110, 10.2.3. */
export function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
