import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { TsrunError } from "../../base/errors.ts";
import type { CommandModule } from "../command.ts";
import { print } from "../print.ts";
import { containerPaths, findRecord, readIds } from "../records.ts";
import { type ContainerState, composeState } from "../state.ts";
import { readStatus } from "../status.ts";

export const run: CommandModule["run"] = ({ flags }, { root }) => {
  const states = readIds(root).flatMap((id) => readState(root, id));
  const format = flags.value("format") ?? "table";
  if (flags.flag("quiet")) print(states.map(({ id }) => `${id}\n`).join(""));
  else if (format === "json") print(`${states.length === 0 ? "null" : JSON.stringify(states)}\n`);
  else if (format === "table") print(table(states));
  else throw new TsrunError("INVALID_ARGUMENT", "invalid format option");
  return 0;
};

/** None for one that goes away meanwhile, or whose name no container could have. */
function readState(root: string, id: string): readonly ContainerState[] {
  const record = /^[\w+\-.]+$/.test(id) ? findRecord(root, id) : undefined;
  if (!record) return [];
  return [composeState(record, readStatus(root, record), owner(root, id))];
}

function owner(root: string, id: string): string {
  const stat = statSync(containerPaths(root, id).dir, { throwIfNoEntry: false });
  const self = userInfo();
  if (stat === undefined) return "";
  return stat.uid === self.uid ? self.username : `#${stat.uid}`;
}

const HEADINGS = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];

/** As Go's tabwriter makes it: at least 12 wide, three spaces between. */
function table(states: readonly ContainerState[]): string {
  const rows = [
    HEADINGS,
    ...states.map((state) => [
      ...[state.id, String(state.pid), state.status, state.bundle, state.created, state.owner],
    ]),
  ];
  const widths = HEADINGS.map((_, column) =>
    Math.max(12, ...rows.map((row) => (row[column] ?? "").length + 3)),
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column < 5 ? cell.padEnd(widths[column] ?? 0) : cell)).join("");
  return `${rows.map(line).join("\n")}\n`;
}
