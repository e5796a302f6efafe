import { TsrunError } from "../../base/errors.ts";
import { listVolumes, removeVolume } from "../../engine/index.ts";
import { parseSeconds } from "../container-request.ts";
import { forEachOf, namedOrAll } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const force = options.flag("force");
  const time = options.value("time");
  if (time !== undefined && !force) {
    throw new TsrunError("INVALID_ARGUMENT", "--time has no meaning without --force", {
      hint: "Add --force to remove the containers too, or leave --time out.",
    });
  }
  const removal = {
    force,
    ...(time === undefined ? {} : { timeoutSeconds: parseSeconds("--time", time) }),
  };
  const which = { all: options.flag("all"), operands, kind: "volume" } as const;
  const names = await namedOrAll("volume rm", which, async () =>
    listVolumes(engine).map(({ name }) => name),
  );
  await forEachOf(names, (ref) => removeVolume(engine, ref, removal));
}
