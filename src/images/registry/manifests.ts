/**
 * Manifests and referrers of a repository: small documents, whose digests are checked.
 */
import { TsrunError } from "../../base/errors.ts";
import { type Descriptor, MANIFEST_TYPES, MEDIA_TYPES } from "../config.ts";
import { digestOf } from "../digest.ts";
import type { HttpResponse } from "./connection.ts";
import type { Registry } from "./registry.ts";

export interface FetchedManifest {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

/** What registries take at most; distribution-spec "Pushing Manifests" demands 4 MiB. */
const MAX_MANIFEST_BYTES = 4 * 2 ** 20;

/** By tag or digest. Throws NOT_FOUND, REGISTRY_DENIED, IMAGE_INVALID for other contents than asked for. */
export async function fetchManifest(
  registry: Registry,
  tagOrDigest: string,
): Promise<FetchedManifest> {
  const what = `"${registry.address.repository}${separator(tagOrDigest)}${tagOrDigest}"`;
  const response = await registry.api({
    method: "GET",
    path: `${registry.address.repository}/manifests/${tagOrDigest}`,
    headers: { accept: MANIFEST_TYPES.join(", ") },
    what,
    expect: [200],
  });
  const bytes = await readDocument(response, what);
  const digest = digestOf(bytes);
  const expected = tagOrDigest.includes(":") ? tagOrDigest : undefined;
  if (expected !== undefined && expected !== digest) {
    throw new TsrunError("IMAGE_INVALID", `${what} has the digest ${digest}`, {
      hint: "The registry, or something before it, gives other contents than it was asked for.",
    });
  }
  return { mediaType: mediaTypeOf(response, bytes), digest, bytes };
}

function separator(tagOrDigest: string): string {
  return tagOrDigest.includes(":") ? "@" : ":";
}

/** The document's own word counts before the header's, which some registries guess. */
function mediaTypeOf({ headers }: HttpResponse, bytes: Buffer): string {
  const header = headers.get("content-type")?.[0]?.split(";")[0]?.trim() ?? "";
  try {
    const { mediaType } = JSON.parse(bytes.toString("utf8")) as { mediaType?: unknown };
    return typeof mediaType === "string" ? mediaType : header;
  } catch {
    return header; // whoever parses it says what is wrong with it
  }
}

async function readDocument({ body, headers }: HttpResponse, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const announced = Number(headers.get("content-length")?.[0] ?? 0);
  if (announced > MAX_MANIFEST_BYTES) throw tooLarge(what);
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_MANIFEST_BYTES) throw tooLarge(what);
  }
  return Buffer.concat(chunks);
}

function tooLarge(what: string): TsrunError {
  return new TsrunError("IMAGE_INVALID", `the manifest of ${what} is larger than 4 MiB`, {
    hint: "It is not an image's.",
  });
}

/** Puts a manifest under a tag, or under its digest alone. Answers the registry's digest of it. */
export async function putManifest(
  registry: Registry,
  { mediaType, bytes }: Pick<FetchedManifest, "mediaType" | "bytes">,
  tag: string | undefined,
): Promise<string> {
  const digest = digestOf(bytes);
  const { body, headers } = await registry.api({
    method: "PUT",
    path: `${registry.address.repository}/manifests/${tag ?? digest}`,
    headers: { "content-type": mediaType },
    body: () => bytes,
    actions: "pull,push",
    what: `the manifest of "${registry.address.repository}"`,
    expect: [201, 200, 202],
  });
  body.destroy();
  const answered = headers.get("docker-content-digest")?.[0];
  if (answered === undefined || answered === digest) return digest;
  throw new TsrunError("REGISTRY_UNAVAILABLE", `the registry counts ${answered}, not ${digest}`, {
    hint: "It has changed the manifest: what is there is not what was pushed.",
  });
}

/** A descriptor in a list of referrers. */
export interface Referrer extends Descriptor {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What refers to a manifest: signatures, SBOMs. distribution-spec "Listing Referrers". */
export async function fetchReferrers(
  registry: Registry,
  digest: string,
): Promise<readonly Referrer[]> {
  const what = `the referrers of "${registry.address.repository}@${digest}"`;
  const base = `${registry.address.repository}`;
  const found: Referrer[] = [];
  let path: string | URL | undefined = `${base}/referrers/${digest}`;
  while (path !== undefined) {
    const response: HttpResponse = await registry.api({
      ...{ method: "GET", path, what, expect: [200, 404, 400, 405] },
      headers: { accept: MEDIA_TYPES.index },
    });
    if (response.status !== 200) {
      response.body.destroy();
      return fetchTaggedReferrers(registry, digest);
    }
    found.push(...parseReferrers(await readDocument(response, what), what));
    path = nextPage(response);
  }
  return found;
}

/** A registry without that API has them under a tag made of the digest. "Referrers Tag Schema". */
async function fetchTaggedReferrers(registry: Registry, digest: string) {
  const tag = digest.replace(":", "-").slice(0, 128);
  try {
    const { bytes } = await fetchManifest(registry, tag);
    return parseReferrers(bytes, `the tag "${tag}"`);
  } catch (error) {
    if (error instanceof TsrunError && error.code === "NOT_FOUND") return [];
    throw error;
  }
}

function nextPage({ headers, url }: HttpResponse): URL | undefined {
  const link = /<([^>]*)>\s*;\s*rel="?next"?/.exec(headers.get("link")?.[0] ?? "")?.[1];
  return link === undefined ? undefined : new URL(link, url);
}

function parseReferrers(bytes: Buffer, what: string): readonly Referrer[] {
  try {
    const { manifests } = JSON.parse(bytes.toString("utf8")) as { manifests?: unknown };
    if (Array.isArray(manifests)) return manifests as Referrer[];
  } catch {
    // What follows says it.
  }
  throw new TsrunError("IMAGE_INVALID", `${what} is no image index`, {
    hint: "The registry answers with something else.",
  });
}
