import { spawnSync } from "node:child_process";
import { TsrunError } from "../../base/errors.ts";
import { readProcs } from "../../runtime/index.ts";
import type { CommandModule } from "../command.ts";
import { print } from "../print.ts";
import { readRecord } from "../records.ts";

export const run: CommandModule["run"] = ({ flags, operands }, { root }) => {
  const [id = "", ...options] = operands;
  const { cgroup } = readRecord(root, id);
  const format = flags.value("format") ?? "table";
  const pids = readProcs(cgroup, { recursive: true }).filter((pid) => pid !== 0);
  if (format === "json") print(`${JSON.stringify(pids)}\n`);
  else if (format === "table") print(selectRows(ps(options), new Set(pids)));
  else throw new TsrunError("INVALID_ARGUMENT", "invalid format option");
  return 0;
};

function ps(options: readonly string[]): string {
  const args = options.length > 0 ? options : ["-ef"];
  const { error, status, stdout, stderr } = spawnSync("ps", args, { encoding: "utf8" });
  if (error) throw new TsrunError("SYSTEM", `cannot run ps: ${error.message}`, { cause: error });
  if (status === 0) return stdout;
  throw new TsrunError("INVALID_ARGUMENT", `exit status ${status}: ${stderr.trim()}`);
}

/** The heading, and the lines whose PID column is one of the container's. */
function selectRows(table: string, pids: ReadonlySet<number>): string {
  const [heading = "", ...rows] = table.trimEnd().split("\n");
  const column = heading.trim().split(/\s+/).indexOf("PID");
  if (column === -1)
    throw new TsrunError("INVALID_ARGUMENT", "couldn't find PID field in ps output");
  const own = rows.filter((row) => pids.has(Number(row.trim().split(/\s+/)[column])));
  return `${[heading, ...own].join("\n")}\n`;
}
