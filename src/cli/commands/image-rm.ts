import { TsrunError } from "../../base/errors.ts";
import { type Engine, listContainers, removeContainer } from "../../engine/index.ts";
import { ImageStore, removeImage, resolveImage } from "../../images/index.ts";
import { forEachOf } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import { lines } from "../format/rows.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const store = new ImageStore(engine.root);
  const force = options.flag("force");
  await forEachOf(operands, async (name) => {
    try {
      const { id } = resolveImage(store, name);
      if (force) await removeContainersOf(engine, id);
      const { untagged, removed } = await removeImage(store, name, {
        used: await usedImages(engine),
      });
      const told = untagged.map((tag) => `Untagged: ${tag}`);
      return lines([...told, ...(removed ? [`Deleted: ${id}`] : [])]).trimEnd();
    } catch (error) {
      if (force && error instanceof TsrunError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
  });
}

async function usedImages(engine: Engine): Promise<ReadonlySet<string>> {
  const views = await listContainers(engine, { all: true });
  return new Set(views.flatMap(({ config }) => (config.image ? [config.image.id] : [])));
}

async function removeContainersOf(engine: Engine, image: string): Promise<void> {
  const views = await listContainers(engine, { all: true });
  for (const { config } of views.filter((view) => view.config.image?.id === image)) {
    await removeContainer(engine, config.id, { force: true, ignoreMissing: true });
  }
}
