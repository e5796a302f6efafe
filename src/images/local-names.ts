/**
 * Which names in the store a typed name may stand for.
 */
import { formatReference, type ImageReference } from "./reference.ts";
import {
  expandName,
  hasRegistry,
  NO_REGISTRIES_CONF,
  type RegistriesConf,
} from "./registry/plan-sources.ts";

/** As it was typed; as podman calls what was made here; and as it would be pulled. */
export function candidateNames(
  { name, tag }: ImageReference,
  conf: RegistriesConf = NO_REGISTRIES_CONF,
): readonly string[] {
  const names = hasRegistry(name)
    ? [name, ...expandName(name, NO_REGISTRIES_CONF), name.replace(/^localhost\//, "")]
    : [name, `localhost/${name}`, ...expandName(name, conf)];
  return [...new Set(names)].map((one) => formatReference({ name: one, tag }));
}
