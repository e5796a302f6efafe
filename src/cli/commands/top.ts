import { TsrunError } from "../../base/errors.ts";
import { containerTop, type ProcessRow } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { psTime } from "../format/human.ts";
import { formatListing } from "../format/rows.ts";
import type { ValueRecord } from "../format/value.ts";
import { print } from "../output.ts";
import { suggestNearest } from "../suggest.ts";
import type { CommandCall } from "../table/types.ts";

/** podman's descriptors: its name, the row's field, the heading. */
const COLUMNS: Readonly<Record<string, readonly [field: string, heading: string]>> = {
  user: ["User", "USER"],
  uid: ["Uid", "UID"],
  pid: ["Pid", "PID"],
  ppid: ["Ppid", "PPID"],
  hpid: ["Hpid", "HPID"],
  pcpu: ["Pcpu", "%CPU"],
  etime: ["Etime", "ELAPSED"],
  tty: ["Tty", "TTY"],
  time: ["Time", "TIME"],
  rss: ["Rss", "RSS"],
  state: ["State", "STATE"],
  args: ["Args", "COMMAND"],
};
const USUAL = ["user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args"];

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = "", ...typed] = operands;
  const columns = typed.length > 0 ? typed.flatMap((word) => word.split(",")) : USUAL;
  const fields = columns.map(parseColumn);
  const processes = await containerTop(openEngineFor(globals), ref);
  const listing = {
    rows: processes.map(processRow),
    table: fields.map((field) => `{{.${field}}}`).join("\t"),
    headings: Object.fromEntries(Object.values(COLUMNS)),
  };
  print(formatListing(listing, options.value("format")));
}

function parseColumn(name: string): string {
  const column = COLUMNS[name.toLowerCase()];
  if (column) return column[0];
  const nearest = suggestNearest(name, Object.keys(COLUMNS));
  throw new TsrunError("INVALID_ARGUMENT", `"tsrun top" has no column "${name}"`, {
    hint: nearest ? `Did you mean ${nearest}?` : `Columns are ${Object.keys(COLUMNS).join(", ")}.`,
  });
}

function processRow(row: ProcessRow): ValueRecord {
  return {
    User: row.user,
    Uid: row.uid,
    Pid: row.pid,
    Ppid: row.parentPid,
    Hpid: row.hostPid,
    Pcpu: row.cpuPercent.toFixed(3),
    Etime: psTime(row.elapsedSeconds),
    Tty: row.tty,
    Time: psTime(row.cpuSeconds),
    Rss: Math.round(row.memoryBytes / 1024),
    State: row.state,
    Args: row.command,
  };
}
