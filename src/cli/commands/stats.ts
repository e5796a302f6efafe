import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { TsrunError } from "../../base/errors.ts";
import {
  type ContainerStats,
  containerStats,
  type Engine,
  inspectContainer,
  listContainers,
} from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatListing } from "../format/rows.ts";
import type { ValueRecord } from "../format/value.ts";
import { invalidValue } from "../options/invalid-value.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { idleRow, STATS_HEADINGS, STATS_TABLE, statsRow } from "../views/stats-row.ts";

/** How long the first two measurements are apart: cpu use is the difference of two. */
const FIRST_INTERVAL_MS = 200;

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const intervalMs = parseInterval(options.value("interval") ?? "1");
  const truncate = !options.flag("no-trunc");
  const live = !options.flag("no-stream");
  const format = options.value("format");
  for (const ref of operands) await inspectContainer(engine, ref);
  let before = await measure(engine, operands);
  for (let waitMs = FIRST_INTERVAL_MS; ; waitMs = intervalMs) {
    await sleep(waitMs);
    const now = await measure(engine, operands);
    const rows: ValueRecord[] = [...now.values()].map((stats) =>
      statsRow(stats, before.get(stats.id), { truncate }),
    );
    rows.push(...(await idleRows(engine, { all: options.flag("all"), operands, now, truncate })));
    const listing = { rows, table: STATS_TABLE, headings: STATS_HEADINGS };
    print(`${live && isatty(1) ? CLEAR : ""}${formatListing(listing, format)}`);
    if (!live) return;
    // What was named has ended: there is nothing more to show.
    if (operands.length > 0 && now.size === 0) return;
    before = now;
  }
}

/** The cursor goes home and what is below is erased: the table is drawn over the one before. */
const CLEAR = "\u001b[H\u001b[J";

function parseInterval(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds >= 0.1 && seconds <= 86_400) return seconds * 1000;
  throw invalidValue(
    "--interval",
    text,
    "it is not a number of seconds",
    "Give seconds of at least 0.1, such as 2.",
  );
}

/** By id; what has ended is left out. */
async function measure(
  engine: Engine,
  refs: readonly string[],
): Promise<ReadonlyMap<string, ContainerStats>> {
  const names =
    refs.length > 0 ? refs : (await listContainers(engine)).map(({ config }) => config.id);
  const measured = new Map<string, ContainerStats>();
  for (const ref of names) {
    try {
      const stats = await containerStats(engine, ref);
      measured.set(stats.id, stats);
    } catch (error) {
      const ended = ["WRONG_STATE", "NOT_FOUND"];
      if (!(error instanceof TsrunError && ended.includes(error.code))) throw error;
    }
  }
  return measured;
}

/** What was named, or with --all exists, and does not run. */
async function idleRows(
  engine: Engine,
  {
    all,
    operands,
    now,
    truncate,
  }: {
    readonly all: boolean;
    readonly operands: readonly string[];
    readonly now: ReadonlyMap<string, ContainerStats>;
    readonly truncate: boolean;
  },
): Promise<ValueRecord[]> {
  if (!all && operands.length === 0) return [];
  const views = await listContainers(engine, { all: true });
  const named = views.filter(
    ({ config }) => all || operands.some((ref) => config.name === ref || config.id.startsWith(ref)),
  );
  return named
    .filter(({ config }) => !now.has(config.id))
    .map(({ config }) => idleRow(config, { truncate }));
}
