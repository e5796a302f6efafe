/**
 * What a registry has about an image: signatures, bills of materials, provenance.
 */
import { TsrunError } from "../base/errors.ts";
import { parseReference } from "./reference.ts";
import { openRegistry, type RegistryAccess } from "./registry/access.ts";
import { fetchManifest, fetchReferrers, type Referrer } from "./registry/manifests.ts";
import { expandName, planSources } from "./registry/plan-sources.ts";
import { readRegistriesConf } from "./registry/registries-conf.ts";

/** Of the image that the registry has under this name now. Throws what pullImage does. */
export async function listReferrers(
  text: string,
  access: RegistryAccess = {},
): Promise<readonly Referrer[]> {
  const reference = parseReference(text);
  const conf = access.conf ?? readRegistriesConf();
  const [name] = expandName(reference.name, conf);
  const address = name === undefined ? undefined : planSources({ name }, conf).at(-1);
  if (!address) {
    throw new TsrunError("NOT_FOUND", `there is nowhere to look for "${text}"`, {
      hint: "Write its registry: HOST/NAME.",
    });
  }
  await using registry = await openRegistry(address, access);
  const { digest } = await fetchManifest(registry, reference.digest ?? reference.tag);
  return await fetchReferrers(registry, digest);
}
