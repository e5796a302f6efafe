import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Outcome,
  parseRetryAfter,
  planRetry,
  RETRY_POLICY,
} from "../../../../src/images/registry/plan-retry.ts";

const at = { policy: RETRY_POLICY, random: 1, nowMs: 0 };

function status(code: number, retryAfter?: string): Outcome {
  return { kind: "status", status: code, retryAfter };
}

function error(code: string, hasAnswered = false): Outcome {
  return { kind: "error", code, hasAnswered };
}

describe("a request that failed", () => {
  it("is tried again after pauses that double, up to a limit", () => {
    const pauses = [1, 2, 3, 4, 5].map((attempt) => planRetry(status(503), attempt, at));
    assert.deepEqual(pauses, [250, 500, 1000, 2000, 4000]);
    assert.equal(planRetry(status(503), RETRY_POLICY.attempts, at), undefined);
    const patient = { ...at, policy: { ...RETRY_POLICY, attempts: 99 } };
    assert.equal(planRetry(status(503), 50, patient), RETRY_POLICY.longestPauseMs);
  });

  it("spreads the pauses of many clients", () => {
    assert.equal(planRetry(status(503), 1, { ...at, random: 0 }), 125);
  });

  it("waits as long as the registry says, but not for ever", () => {
    assert.equal(planRetry(status(429, "7"), 1, at), 7000);
    assert.equal(planRetry(status(429, "0"), 1, at), 0);
    assert.equal(planRetry(status(429, "86400"), 1, at), undefined);
  });

  it("is not tried again where the answer would be the same", () => {
    for (const code of [200, 301, 400, 401, 403, 404, 416, 501]) {
      assert.equal(planRetry(status(code), 1, at), undefined, String(code));
    }
    for (const code of [
      "ENOTFOUND",
      "EPROTO",
      "CERT_HAS_EXPIRED",
      "ERR_SSL_WRONG_VERSION_NUMBER",
    ]) {
      assert.equal(planRetry(error(code), 1, at), undefined, code);
    }
    assert.equal(planRetry(error("DEPTH_ZERO_SELF_SIGNED_CERT"), 1, at), undefined);
  });

  it("is tried again where the connection broke", () => {
    for (const code of ["ECONNRESET", "UND_ERR_SOCKET", "EAI_AGAIN", "UND_ERR_HEADERS_TIMEOUT"]) {
      assert.equal(planRetry(error(code), 1, at), 250, code);
    }
  });

  it("takes a refused connection for a restart only of a registry that has answered before", () => {
    assert.equal(planRetry(error("ECONNREFUSED"), 1, at), undefined);
    assert.equal(planRetry(error("ECONNREFUSED", true), 1, at), 250);
  });
});

describe("Retry-After", () => {
  it("is seconds or a date", () => {
    assert.equal(parseRetryAfter("120", 0), 120_000);
    assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:01:00 GMT", 10_000), 50_000);
    assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:00:00 GMT", 10_000), 0);
    assert.equal(parseRetryAfter("soon", 0), undefined);
    assert.equal(parseRetryAfter(undefined, 0), undefined);
  });
});
