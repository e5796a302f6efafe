import { faultPoint } from "../base/fault.ts";
import { withContainer } from "./container.ts";
import { parseContainerName } from "./container-id.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { ContainerConfig } from "./records.ts";
import { writeConfig } from "./store/config.ts";
import { nameInUse, releaseName, takeName } from "./store/names.ts";

/**
 * Gives the container another name. Throws NAME_IN_USE. A kill between the steps leaves one name that
 * counts, the recorded one, and a link that whoever wants its name takes over.
 */
export async function renameContainer(
  engine: Engine,
  ref: string,
  newName: string,
): Promise<ContainerConfig> {
  const name = parseContainerName(newName);
  return withContainer(engine, ref, async ({ config, status }) => {
    checkLifecycle("rename", status, config);
    if (name === config.name) return config;
    if (!(await takeName(engine, name, config.id))) throw nameInUse(name);
    faultPoint();
    const renamed = { ...config, name };
    try {
      writeConfig(engine, renamed);
    } catch (error) {
      releaseName(engine, name);
      throw error;
    }
    faultPoint();
    releaseName(engine, config.name);
    recordEvent(engine, renamed, "rename", { oldName: config.name });
    return renamed;
  });
}
