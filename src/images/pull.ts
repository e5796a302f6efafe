/**
 * An image from a registry: where it may be is tried in order, then it is fetched from the first that
 * has it.
 */
import { TsrunError } from "../base/errors.ts";
import { type FetchOptions, fetchImage } from "./fetch-image.ts";
import { chooseMember, parseManifest } from "./parse-manifest.ts";
import { hostPlatform, type Platform } from "./platform.ts";
import { formatReference, type ImageReference, parseReference } from "./reference.ts";
import { openRegistry, type RegistryAccess } from "./registry/access.ts";
import { type FetchedManifest, fetchManifest } from "./registry/manifests.ts";
import { expandName, planSources, type RegistryAddress } from "./registry/plan-sources.ts";
import { readBlob } from "./registry/read-blob.ts";
import { readRegistriesConf } from "./registry/registries-conf.ts";
import type { Registry } from "./registry/registry.ts";
import type { ImageStore, StoredImage } from "./store.ts";

export interface PullOptions extends RegistryAccess, Pick<FetchOptions, "onProgress" | "limits"> {
  readonly platform?: Platform;
  /** The places that are tried, as they are tried. */
  readonly onSource?: (name: string) => void;
}

/**
 * Pulls an image and gives it its whole name. Throws NOT_FOUND, REGISTRY_DENIED, REGISTRY_UNAVAILABLE
 * with what the registries said, IMAGE_INVALID, NO_SPACE, ABORTED.
 */
export async function pullImage(
  store: ImageStore,
  text: string,
  options: PullOptions = {},
): Promise<StoredImage> {
  const reference = parseReference(text);
  const conf = options.conf ?? readRegistriesConf();
  const failures: { readonly name: string; readonly error: TsrunError }[] = [];
  for (const name of expandName(reference.name, conf)) {
    for (const address of planSources({ ...reference, name }, conf)) {
      try {
        return await pullFrom(store, address, { ...reference, name }, options);
      } catch (error) {
        if (!(error instanceof TsrunError) || !PASSABLE.has(error.code)) throw error;
        failures.push({ name: `${address.host}/${address.repository}`, error });
      }
    }
  }
  throw combine(text, failures);
}

/** Another place may have it. */
const PASSABLE: ReadonlySet<string> = new Set([
  "NOT_FOUND",
  "REGISTRY_DENIED",
  "REGISTRY_UNAVAILABLE",
]);

function combine(
  text: string,
  failures: readonly { readonly name: string; readonly error: TsrunError }[],
): TsrunError {
  const [first, ...others] = failures;
  if (!first) {
    return new TsrunError("NOT_FOUND", `there is nowhere to look for "${text}"`, {
      hint: "Write its registry, or set unqualified-search-registries in registries.conf.",
    });
  }
  if (others.length === 0) return first.error;
  const said = failures.map(({ error }) => error.message).join("; ");
  return new TsrunError(first.error.code, `cannot pull "${text}": ${said}`, {
    hint: `It was looked for at ${failures.map(({ name }) => name).join(", ")}.`,
    cause: new AggregateError(failures.map(({ error }) => error)),
  });
}

async function pullFrom(
  store: ImageStore,
  address: RegistryAddress,
  reference: ImageReference,
  options: PullOptions,
): Promise<StoredImage> {
  const { platform = hostPlatform(), onProgress, limits, signal, retry, onSource } = options;
  onSource?.(`${address.host}/${address.repository}${suffix(reference)}`);
  await using registry = await openRegistry(address, options);
  const top = await fetchManifest(registry, reference.digest ?? reference.tag);
  const chosen = await choosePlatform(registry, top, platform);
  return await fetchImage(
    store,
    chosen,
    (descriptor, from) =>
      readBlob(registry, descriptor, {
        from,
        ...(retry ? { retry } : {}),
        ...(signal ? { signal } : {}),
      }),
    {
      name: formatReference(reference),
      source: `${reference.name}@${top.digest}`,
      ...(onProgress ? { onProgress } : {}),
      ...(limits ? { limits } : {}),
      ...(signal ? { signal } : {}),
    },
  );
}

function suffix({ tag, digest }: ImageReference): string {
  return digest === undefined ? `:${tag}` : `@${digest}`;
}

/** An index's manifest for the platform; its size is checked with its digest. */
async function choosePlatform(
  registry: Registry,
  top: FetchedManifest,
  platform: Platform,
): Promise<FetchedManifest> {
  const parsed = parseManifest(top.bytes, top.mediaType);
  if (parsed.kind === "manifest") return top;
  const member = chooseMember(parsed.members, platform);
  const fetched = await fetchManifest(registry, member.digest);
  if (fetched.bytes.length === member.size) return fetched;
  throw new TsrunError("IMAGE_INVALID", `the manifest ${member.digest} has not its size`, {
    hint: "The image's index is wrong.",
  });
}
