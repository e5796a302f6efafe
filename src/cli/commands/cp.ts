import { copyFromContainer, copyToContainer } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { parseCopy } from "../options/copy-paths.ts";
import type { CommandCall } from "../table/types.ts";
import { flushed } from "../terminal/relay.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [source = "", target = ""] = operands;
  const copy = parseCopy(source, target);
  const engine = openEngineFor(globals);
  const how = { overwrite: options.flag("overwrite") };
  if (copy.kind === "in") {
    const { container, path } = copy.to;
    const from = copy.from.kind === "stream" ? process.stdin : copy.from.path;
    await copyToContainer(engine, container, { source: from, path }, how);
    return;
  }
  const { container, path } = copy.from;
  if (copy.to.kind === "host") {
    await copyFromContainer(engine, container, { path, target: copy.to.path }, how);
    return;
  }
  await copyFromContainer(engine, container, { path, target: process.stdout }, how);
  await flushed(process.stdout);
}
