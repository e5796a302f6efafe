import { TsrunError } from "../../base/errors.ts";
import { updateContainer } from "../../engine/index.ts";
import { readDeviceNumber } from "../container-request.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseLimits } from "../options/limits.ts";
import { parseSize } from "../options/size.ts";
import { printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = ""] = operands;
  const limits = parseLimits(options, readDeviceNumber);
  const disk = options.value("disk");
  if (Object.keys(limits).length === 0 && disk === undefined) {
    throw new TsrunError("INVALID_ARGUMENT", "no limit is given to change", {
      hint: "Give at least one, such as --memory 1g; see `tsrun help update`.",
    });
  }
  const growth = disk === undefined ? {} : { diskBytes: parseSize("--disk", disk) };
  await updateContainer(openEngineFor(globals), ref, limits, growth);
  printLine(ref);
}
