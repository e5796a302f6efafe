import { TsrunError } from "../../base/errors.ts";
import {
  completeImageName,
  type Engine,
  inspectContainer,
  inspectImage,
  readImageSize,
} from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseChoice } from "../filters.ts";
import { formatInspected } from "../format/rows.ts";
import type { ValueRecord } from "../format/value.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { inspectView } from "../views/container-inspect.ts";
import { imageInspectView } from "../views/image-view.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const type = parseChoice("--type", options.value("type") ?? "all", [
    "all",
    "container",
    "image",
  ] as const);
  const engine = openEngineFor(globals);
  const found: ValueRecord[] = [];
  for (const ref of operands) found.push(await inspect(engine, ref, type));
  print(formatInspected(found, options.value("format")));
}

async function inspect(
  engine: Engine,
  ref: string,
  type: "all" | "container" | "image",
): Promise<ValueRecord> {
  if (type === "image") return viewImage(engine, await completeImageName(engine, ref));
  try {
    return inspectView(await inspectContainer(engine, ref), engine);
  } catch (error) {
    const missing = error instanceof TsrunError && error.code === "NOT_FOUND";
    if (!missing || type === "container") throw error;
    const image = await imageIfThere(engine, ref);
    if (!image) throw neither(ref, error);
    return image;
  }
}

function viewImage(engine: Engine, ref: string): ValueRecord {
  const image = inspectImage(engine, ref);
  return imageInspectView(image, readImageSize(engine, image));
}

async function imageIfThere(engine: Engine, ref: string): Promise<ValueRecord | undefined> {
  try {
    return viewImage(engine, await completeImageName(engine, ref));
  } catch (error) {
    const absent = ["NOT_FOUND", "INVALID_ARGUMENT"];
    if (error instanceof TsrunError && absent.includes(error.code)) return undefined;
    throw error;
  }
}

function neither(ref: string, cause: unknown): TsrunError {
  return new TsrunError("NOT_FOUND", `there is no container or image "${ref}"`, {
    hint: "`tsrun ps -a` and `tsrun image ls` list them.",
    cause,
  });
}
