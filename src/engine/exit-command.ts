import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ExecLists } from "../plan/index.ts";
import type { Engine } from "./engine.ts";
import type { ContainerId } from "./records.ts";

/**
 * What a supervisor starts as it ends, unless the one who started the container is still attached and
 * removes it: the command line's own `rm`. undefined where only the library is installed, without its command; then
 * the next command that sees the ended container removes it.
 */
export function cleanupCommand(engine: Engine, id: ContainerId): ExecLists | undefined {
  const command = findCommand();
  if (command === undefined) return undefined;
  return {
    argv: [command, "--root", engine.root, "rm", "--ignore", id],
    env: [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/root",
      `TSRUN_RUN_ROOT=${engine.runRoot}`,
    ],
    candidates: [command],
  };
}

let found: string | null | undefined;

/** bin/tsrun of this package, wherever the module that runs lies in it. */
function findCommand(): string | undefined {
  if (found === undefined) found = searchCommand(import.meta.dirname);
  return found ?? undefined;
}

function searchCommand(start: string): string | null {
  for (let dir = start; dir !== "/"; dir = dirname(dir)) {
    const candidate = join(dir, "bin", "tsrun");
    if (existsSync(candidate) && existsSync(join(dir, "package.json"))) return candidate;
  }
  return null;
}
