import { TsrunError } from "../../base/errors.ts";
import {
  completeImageName,
  type Engine,
  inspectImage,
  listContainers,
  removeContainer,
  removeImage,
} from "../../engine/index.ts";
import { forEachOf } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const force = options.flag("force");
  await forEachOf(operands, async (typed) => {
    try {
      const name = await completeImageName(engine, typed);
      const { id } = inspectImage(engine, name);
      if (force) await removeContainersOf(engine, id);
      const { untagged, removed } = await removeImage(engine, name);
      const told = untagged.map((tag) => `Untagged: ${tag}`);
      return [...told, ...(removed ? [`Deleted: ${id}`] : [])].join("\n");
    } catch (error) {
      if (force && error instanceof TsrunError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  });
}

async function removeContainersOf(engine: Engine, image: string): Promise<void> {
  const views = await listContainers(engine, { all: true });
  for (const { config } of views.filter((view) => view.config.image?.id === image)) {
    await removeContainer(engine, config.id, { force: true, ignoreMissing: true });
  }
}
