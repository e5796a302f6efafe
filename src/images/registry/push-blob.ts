/**
 * A blob's way into a repository: it is there, or another repository of the registry lends it, or it is
 * uploaded, in pieces where it is large. distribution-spec "Pushing blobs".
 */
import type { Readable } from "node:stream";
import { TsrunError } from "../../base/errors.ts";
import type { Descriptor } from "../config.ts";
import type { HttpResponse } from "./connection.ts";
import { backOffMs, RETRY_POLICY, type RetryPolicy } from "./plan-retry.ts";
import type { Registry } from "./registry.ts";

export interface PushBlobOptions {
  /** Repositories of the same registry that may have it. */
  readonly mountFrom?: readonly string[];
  /** The blob's bytes from `start` up to, but not including, `end`. */
  readonly open: (start: number, end: number) => Readable;
  readonly chunkBytes?: number;
  readonly retry?: RetryPolicy;
  readonly onBytes?: (sent: number) => void;
}

export type PushOutcome = "exists" | "mounted" | "uploaded";

/** What is lost when a connection breaks, and what one request may be for the proxies on the way. */
const CHUNK_BYTES = 64 * 2 ** 20;

export async function pushBlob(
  registry: Registry,
  descriptor: Descriptor,
  options: PushBlobOptions,
): Promise<PushOutcome> {
  if (await hasBlob(registry, descriptor)) return "exists";
  const begun = await mountOrBegin(registry, descriptor, options.mountFrom ?? []);
  if (begun === "mounted") return "mounted";
  await uploadPatiently(registry, descriptor, begun, options);
  return "uploaded";
}

async function mountOrBegin(
  registry: Registry,
  descriptor: Descriptor,
  sources: readonly string[],
): Promise<URL | "mounted"> {
  for (const source of sources) {
    const begun = await beginUpload(registry, descriptor, source);
    // The upload that was begun where nothing could be lent is as good as any.
    if (begun) return begun;
  }
  const begun = await beginUpload(registry, descriptor, undefined);
  if (begun instanceof URL) return begun;
  throw noUpload(registry);
}

/** An upload that broke before its first piece was taken is begun anew. */
async function uploadPatiently(
  registry: Registry,
  descriptor: Descriptor,
  begun: URL,
  options: PushBlobOptions,
): Promise<void> {
  const { retry = RETRY_POLICY } = options;
  let location = begun;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await upload(registry, descriptor, location, options);
      return;
    } catch (error) {
      if (attempt >= retry.attempts || !isPassing(error)) throw error;
      await registry.pause(backOffMs(attempt, retry));
      location = await mountOrBegin(registry, descriptor, []).then((next) =>
        next === "mounted" ? location : next,
      );
    }
  }
}

async function hasBlob(registry: Registry, { digest }: Descriptor): Promise<boolean> {
  const { status, body } = await registry.api({
    method: "HEAD",
    path: `${registry.address.repository}/blobs/${digest}`,
    actions: "pull,push",
    what: `the blob ${digest} of "${registry.address.repository}"`,
    expect: [200, 404],
  });
  body.destroy();
  return status === 200;
}

/** Where the upload goes on, or "mounted"; undefined where lending is refused outright. */
async function beginUpload(
  registry: Registry,
  { digest }: Descriptor,
  source: string | undefined,
): Promise<URL | "mounted" | undefined> {
  const query =
    source === undefined ? "" : `?${new URLSearchParams({ mount: digest, from: source })}`;
  const response = await registry.api({
    method: "POST",
    path: `${registry.address.repository}/blobs/uploads/${query}`,
    headers: { "content-length": "0" },
    actions: "pull,push",
    ...(source === undefined ? {} : { alsoPull: source }),
    what: `an upload to "${registry.address.repository}"`,
    expect: source === undefined ? [202] : [201, 202, 401, 403, 404, 405],
  });
  response.body.destroy();
  if (response.status === 201) return "mounted";
  return response.status === 202 ? locationOf(registry, response) : undefined;
}

function locationOf(registry: Registry, { headers, url }: HttpResponse): URL {
  const location = headers.get("location")?.[0];
  if (location === undefined || !URL.canParse(location, url.href)) throw noUpload(registry);
  const next = new URL(location, url.href);
  // A registry behind a proxy that ends TLS often calls itself by http.
  if (url.protocol === "https:" && next.protocol === "http:" && next.host === url.host) {
    next.protocol = "https:";
  }
  return next;
}

function noUpload(registry: Registry): TsrunError {
  return new TsrunError(
    "REGISTRY_UNAVAILABLE",
    `"${registry.address.host}" does not say where to upload to`,
    { hint: "The registry is set up wrongly." },
  );
}

async function upload(
  registry: Registry,
  descriptor: Descriptor,
  begun: URL,
  options: PushBlobOptions,
): Promise<void> {
  const { chunkBytes = CHUNK_BYTES } = options;
  let location = begun;
  if (descriptor.size > chunkBytes) {
    location = await uploadChunks(registry, descriptor, begun, { ...options, chunkBytes });
    await finishUpload(registry, descriptor, location, undefined);
  } else {
    await finishUpload(registry, descriptor, location, () => options.open(0, descriptor.size));
  }
  options.onBytes?.(descriptor.size);
}

/** The whole blob, or with nothing the end of one that was sent in pieces. */
async function finishUpload(
  registry: Registry,
  { digest, size }: Descriptor,
  location: URL,
  body: (() => Readable) | undefined,
): Promise<void> {
  const url = new URL(location);
  url.searchParams.set("digest", digest);
  const response = await registry.api({
    method: "PUT",
    path: url,
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(body ? size : 0),
    },
    // Bytes that arrived would be in the way of a second try at the same place.
    ...(body ? { body, repeatable: false } : {}),
    actions: "pull,push",
    what: `the blob ${digest} for "${registry.address.repository}"`,
    expect: [201, 204],
  });
  response.body.destroy();
}

async function uploadChunks(
  registry: Registry,
  descriptor: Descriptor,
  begun: URL,
  options: PushBlobOptions & { readonly chunkBytes: number },
): Promise<URL> {
  const { retry = RETRY_POLICY, onBytes } = options;
  let location = begun;
  let offset = 0;
  for (let failures = 0; offset < descriptor.size; ) {
    const end = Math.min(offset + options.chunkBytes, descriptor.size);
    try {
      location = await sendChunk(registry, location, { start: offset, end, open: options.open });
      offset = end;
      failures = 0;
      onBytes?.(offset);
    } catch (error) {
      failures += 1;
      if (failures >= retry.attempts || !isPassing(error)) throw error;
      await registry.pause(backOffMs(failures, retry));
      ({ location, offset } = await readProgress(registry, location));
    }
  }
  return location;
}

function isPassing(error: unknown): boolean {
  return error instanceof TsrunError && error.code === "REGISTRY_UNAVAILABLE";
}

async function sendChunk(
  registry: Registry,
  location: URL,
  chunk: { readonly start: number; readonly end: number; readonly open: PushBlobOptions["open"] },
): Promise<URL> {
  const { start, end, open } = chunk;
  const response = await registry.api({
    method: "PATCH",
    path: location,
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(end - start),
      "content-range": `${start}-${end - 1}`,
    },
    body: () => open(start, end),
    // How much of it has arrived must be asked before anything is sent again.
    repeatable: false,
    actions: "pull,push",
    what: `bytes ${start}-${end - 1} for "${registry.address.repository}"`,
    expect: [202, 201, 204],
  });
  response.body.destroy();
  return locationOf(registry, response);
}

/** "Range: 0-N" says that N + 1 bytes are there. distribution-spec "Pushing a blob in chunks". */
async function readProgress(
  registry: Registry,
  location: URL,
): Promise<{ location: URL; offset: number }> {
  const response = await registry.api({
    method: "GET",
    path: location,
    actions: "pull,push",
    what: `an upload to "${registry.address.repository}"`,
    expect: [204, 200],
  });
  response.body.destroy();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.get("range")?.[0] ?? "")?.[1];
  const offset = last === undefined || last === "0" ? 0 : Number(last) + 1;
  return { location: locationOf(registry, response), offset };
}
