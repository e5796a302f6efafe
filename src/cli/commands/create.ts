import { createContainer, removeContainer } from "../../engine/index.ts";
import { checkCidfile, writeCidfile } from "../cidfile.ts";
import { readContainerRequest } from "../container-request.ts";
import { note, openEngineFor } from "../engine-context.ts";
import { printLine } from "../output.ts";
import { bringImage } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const { request, notes } = readContainerRequest(options, operands);
  const cidfile = options.value("cidfile");
  if (cidfile !== undefined) checkCidfile(cidfile);
  for (const text of notes) note(globals, text);
  const engine = openEngineFor(globals);
  const { id } = await createContainer(engine, await bringImage(engine, request, { options }));
  if (cidfile !== undefined) {
    try {
      writeCidfile(cidfile, id);
    } catch (error) {
      await removeContainer(engine, id);
      throw error;
    }
  }
  printLine(id);
}
