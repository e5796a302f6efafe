/** `mounts` of config.json. */
import { posix } from "node:path";
import { list, nonEmpty, object, optionalText, type Reader, text, uint32 } from "./json.ts";
import type { OciIdMapping, OciMount } from "./oci.ts";

export const idMappings: Reader<readonly OciIdMapping[]> = list(
  object({ containerID: uint32, hostID: uint32, size: uint32 }, {}),
);

const mount = object(
  { destination: nonEmpty },
  {
    type: optionalText,
    source: optionalText,
    options: list(text),
    uidMappings: idMappings,
    gidMappings: idMappings,
  },
);

/**
 * A bind mount's source may be relative to the bundle (config.md, "Mounts"). A destination that is not
 * absolute is wrong by now, but was not always: it is taken below "/", with a warning, as runc does.
 */
export function readMounts(bundle: string): Reader<readonly OciMount[]> {
  return (value, at, warn) =>
    list(mount)(value, at, warn).map((found, index) => {
      const { destination, source, type, options = [] } = found;
      if (!destination.startsWith("/")) {
        warn(`${at}[${index}].destination "${destination}" is not absolute: it is taken below "/"`);
      }
      const bind = type === "bind" || options.includes("bind") || options.includes("rbind");
      return {
        ...found,
        destination: posix.join("/", destination),
        ...(bind && source !== undefined ? { source: posix.resolve(bundle, source) } : {}),
      };
    });
}
