import { cloneContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseContainerName } from "../options/identity.ts";
import { parseRootMode } from "../options/root-mode.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = "", name] = operands;
  const snapshot = options.value("snapshot");
  const mode = options.value("root-mode");
  const { id } = await cloneContainer(openEngineFor(globals), ref, {
    ...(name === undefined ? {} : { name: parseContainerName("NAME", name) }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(mode === undefined ? {} : { rootMode: parseRootMode("--root-mode", mode) }),
    clearIdentity: options.flag("clear-identity"),
  });
  printLine(id);
}
