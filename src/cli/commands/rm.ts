import { TsrunError } from "../../base/errors.ts";
import { listContainers, removeContainer } from "../../engine/index.ts";
import { parseSeconds } from "../container-request.ts";
import { forEachOf, namedOrAll } from "../each.ts";
import { openEngineFor } from "../engine-context.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const force = options.flag("force");
  const time = options.value("time");
  const backup = options.value("backup");
  if (backup !== undefined && (options.flag("all") || operands.length !== 1)) {
    throw new TsrunError("INVALID_ARGUMENT", "--backup saves one container", {
      hint: "Name one; each needs a file of its own.",
    });
  }
  if (time !== undefined && !force && backup === undefined) {
    throw new TsrunError("INVALID_ARGUMENT", "--time has no meaning without --force", {
      hint: "Add --force to stop what runs, or leave --time out.",
    });
  }
  const removal = {
    force,
    ...(backup === undefined ? {} : { backup }),
    ...(options.flag("volumes") ? { volumes: true } : {}),
    ignoreMissing: force || options.flag("ignore"),
    ...(time === undefined ? {} : { timeoutSeconds: parseSeconds("--time", time) }),
  };
  const names = await namedOrAll("rm", { all: options.flag("all"), operands }, async () =>
    (await listContainers(engine, { all: true })).map(({ config }) => config.id),
  );
  await forEachOf(names, async (ref) => {
    const id = await removeContainer(engine, ref, removal);
    return id === undefined ? undefined : ref;
  });
}
