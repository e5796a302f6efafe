/** Containers that count their starts: what one sees tells which layers it stands on. */
import { join } from "node:path";
import type { Cli } from "../../support/cli.ts";

/** A container whose every start adds a line to /lines and shows them all. */
export async function counting(
  cli: Cli,
  name: string,
  ...options: readonly string[]
): Promise<void> {
  const script = "echo $(wc -l < /lines 2>/dev/null || echo 0) >> /lines; cat /lines";
  await cli.ok("create", "--name", name, ...options, "busybox", "sh", "-c", script);
}

/** How many lines there are after one more start. */
export async function runs(cli: Cli, name: string): Promise<number> {
  return (await cli.ok("start", "--attach", name)).split("\n").length;
}

/** Where a container is kept. */
export async function directory(cli: Cli, name: string): Promise<string> {
  return join(cli.base, "root/containers", await cli.ok("inspect", "--format", "{{.Id}}", name));
}
