import { TsrunError } from "../../base/errors.ts";
import { copyFromContainer, copyToContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [source = "", target = ""] = operands;
  const engine = openEngineFor(globals);
  const overwrite = options.flag("overwrite");
  const from = parsePlace(source);
  const to = parsePlace(target);
  if (from && !to) {
    const into = target === "-" ? process.stdout : target;
    await copyFromContainer(
      engine,
      from.container,
      { path: from.path, target: into },
      { overwrite },
    );
    return;
  }
  if (to && !from) {
    const what = source === "-" ? process.stdin : source;
    await copyToContainer(engine, to.container, { source: what, path: to.path }, { overwrite });
    return;
  }
  throw new TsrunError(
    "INVALID_ARGUMENT",
    `one of "${source}" and "${target}" must be CONTAINER:PATH`,
    {
      hint: "Write `tsrun cp web:/etc/hosts .` or `tsrun cp file web:/tmp`; a host path with a colon begins with ./ or /.",
    },
  );
}

/** "CONTAINER:PATH"; a host path may hold a colon behind its first slash. */
function parsePlace(
  text: string,
): { readonly container: string; readonly path: string } | undefined {
  const match = /^([^/.][^/:]*):(.*)$/.exec(text);
  if (!match) return undefined;
  const [, container = "", path = ""] = match;
  return { container, path: path === "" ? "/" : path };
}
