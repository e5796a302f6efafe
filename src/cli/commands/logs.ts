import { once } from "node:events";
import { containerLogs, LogFormatter } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import type { OptionValues } from "../option-values.ts";
import { parseInteger } from "../options/number.ts";
import type { CommandCall } from "../table/types.ts";
import { flushed } from "../terminal/relay.ts";
import { parseTime } from "../time.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const [ref = ""] = operands;
  const since = time(options, "since");
  const until = time(options, "until");
  const tail = options.value("tail") ?? "all";
  const gone = new AbortController();
  const outputs = { stdout: process.stdout, stderr: process.stderr };
  // Whoever read our output has gone: nothing more needs to be read.
  for (const output of Object.values(outputs)) output.on("error", (error) => gone.abort(error));
  const records = containerLogs(openEngineFor(globals), ref, {
    ...(since ? { since } : {}),
    ...(until ? { until } : {}),
    ...(tail === "all" || tail === "-1"
      ? {}
      : { tail: parseInteger("--tail", tail, { min: 0, max: Number.MAX_SAFE_INTEGER }) }),
    follow: options.flag("follow"),
    signal: gone.signal,
  });
  const formatter = new LogFormatter({ timestamps: options.flag("timestamps") });
  try {
    for await (const record of records) {
      const output = outputs[record.stream];
      if (!output.write(formatter.format(record))) {
        await once(output, "drain", { signal: gone.signal });
      }
    }
    await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  } catch (error) {
    if (gone.signal.aborted) throw gone.signal.reason;
    throw error;
  }
}

function time(options: OptionValues, name: "since" | "until"): Date | undefined {
  const text = options.value(name);
  return text === undefined ? undefined : parseTime(`--${name}`, text);
}
