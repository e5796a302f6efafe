/**
 * A blob's bytes from a registry, whatever happens on the way: a connection that breaks is taken up
 * where it broke (Range), and size and digest are checked as they flow.
 */
import { createHash, type Hash } from "node:crypto";
import { TsrunError } from "../../base/errors.ts";
import type { Descriptor } from "../config.ts";
import type { HttpResponse } from "./connection.ts";
import { backOffMs, RETRY_POLICY, type RetryPolicy } from "./plan-retry.ts";
import type { Registry } from "./registry.ts";
import { connectionError } from "./registry-errors.ts";

export interface ReadBlobOptions {
  /** How many bytes are there already, and the digest's state after them. */
  readonly from?: { readonly offset: number; readonly hash: Hash };
  readonly retry?: RetryPolicy;
  readonly signal?: AbortSignal;
}

/**
 * Yields the rest of the blob. Throws IMAGE_INVALID for more, fewer or other bytes than the descriptor
 * says; REGISTRY_UNAVAILABLE when no attempt brings anything more.
 */
export async function* readBlob(
  registry: Registry,
  descriptor: Descriptor,
  { from, retry = RETRY_POLICY, signal }: ReadBlobOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = from?.hash ?? createHash("sha256");
  const progress = { offset: from?.offset ?? 0 };
  for (let fruitless = 0; progress.offset < descriptor.size; ) {
    const before = progress.offset;
    try {
      yield* readOn(registry, descriptor, progress, hash);
    } catch (error) {
      fruitless = progress.offset > before ? 1 : fruitless + 1;
      if (!isBroken(error) || signal?.aborted || fruitless >= retry.attempts) {
        throw describeEnd(error, { registry, descriptor, offset: progress.offset, signal });
      }
      await registry.pause(backOffMs(fruitless, retry));
    }
  }
  checkHash(descriptor, hash);
}

function checkHash(descriptor: Descriptor, hash: Hash): void {
  const digest = `sha256:${hash.digest("hex")}`;
  if (digest === descriptor.digest) return;
  throw new TsrunError("IMAGE_INVALID", `the blob ${descriptor.digest} has the digest ${digest}`, {
    hint: "The registry, or something before it, gives other contents than it was asked for.",
  });
}

/** What one response gives. Throws when that is not all. */
async function* readOn(
  registry: Registry,
  descriptor: Descriptor,
  progress: { offset: number },
  hash: Hash,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of readFrom(registry, descriptor, progress.offset)) {
    progress.offset += chunk.length;
    if (progress.offset > descriptor.size) throw wrongSize(descriptor, "more");
    hash.update(chunk);
    yield chunk;
  }
  if (progress.offset < descriptor.size) throw new CutShort();
}

function urlOf(registry: Registry): URL {
  return new URL(`https://${registry.address.host}`);
}

/** The body ended before it should have, without an error. */
class CutShort extends Error {
  readonly code = "UND_ERR_SOCKET";
}

async function* readFrom(registry: Registry, descriptor: Descriptor, offset: number) {
  const response = await registry.api({
    method: "GET",
    path: `${registry.address.repository}/blobs/${descriptor.digest}`,
    headers: offset > 0 ? { range: `bytes=${offset}-` } : {},
    what: `the blob ${descriptor.digest} of "${registry.address.repository}"`,
    expect: [200, 206],
  });
  let skip = offset - checkStart(response, descriptor, offset);
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      yield skip > 0 ? chunk.subarray(skip) : chunk;
      skip = 0;
    }
  }
}

/** At which byte the response begins: a registry may not know ranges and answer with all of it. */
function checkStart(
  { status, headers, body }: HttpResponse,
  descriptor: Descriptor,
  offset: number,
): number {
  const length = Number(headers.get("content-length")?.[0] ?? Number.NaN);
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range")?.[0] ?? "");
  const start = status === 206 ? Number(range?.[1] ?? Number.NaN) : 0;
  const total = length + start;
  if (start <= offset && (Number.isNaN(length) || total === descriptor.size)) return start;
  body.destroy();
  if (Number.isNaN(start) || start > offset) {
    throw new TsrunError("REGISTRY_UNAVAILABLE", "the registry answers with another range", {
      hint: `It was asked for bytes ${offset}- of ${descriptor.digest}.`,
    });
  }
  throw wrongSize(descriptor, total > descriptor.size ? "more" : "fewer");
}

function wrongSize({ digest, size }: Descriptor, than: "more" | "fewer"): TsrunError {
  return new TsrunError("IMAGE_INVALID", `the blob ${digest} has ${than} than its ${size} bytes`, {
    hint: "The registry, or something before it, gives other contents than it was asked for.",
  });
}

/** A connection broke; what has a sentence already is over. */
function isBroken(error: unknown): boolean {
  return !(error instanceof TsrunError);
}

function describeEnd(
  error: unknown,
  at: {
    readonly registry: Registry;
    readonly descriptor: Descriptor;
    readonly offset: number;
    readonly signal: AbortSignal | undefined;
  },
): unknown {
  if (!isBroken(error)) return error;
  const { registry, signal, offset } = at;
  const { digest } = at.descriptor;
  if (signal?.aborted) return connectionError(urlOf(registry), error, signal);
  const { message } = connectionError(urlOf(registry), error, undefined);
  return new TsrunError("REGISTRY_UNAVAILABLE", `${message}, after ${offset} bytes of ${digest}`, {
    hint: "What has come is kept: the next pull goes on from there.",
    cause: error,
  });
}
