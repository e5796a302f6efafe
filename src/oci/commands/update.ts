import { readFileSync } from "node:fs";
import { TsrunError } from "../../base/errors.ts";
import { updateCgroup } from "../../runtime/index.ts";
import { type OciResources, parseResources } from "../../spec/index.ts";
import type { CommandModule } from "../command.ts";
import { readJsonStream } from "../json-file.ts";
import type { Flags } from "../parse-arguments.ts";
import { readRecord } from "../records.ts";

export const run: CommandModule["run"] = async ({ flags, operands: [id = ""] }, globals) => {
  const { cgroup, unit } = readRecord(globals.root, id);
  const file = flags.value("resources");
  const resources =
    file === undefined ? composeResources(flags) : readResources(file, globals.warn);
  if (unit === undefined) {
    updateCgroup(cgroup, resources);
  } else {
    const { updateUnit } = await import("../container-unit.ts");
    await updateUnit(unit, cgroup, resources);
  }
  return 0;
};

function readResources(file: string, warn: (sentence: string) => void): OciResources {
  const { value, warnings } = parseResources(
    file === "-" ? readFileSync(0, "utf8") : readJsonStream(file),
  );
  for (const warning of warnings) warn(warning);
  return value;
}

/** Through the same reader as a file: what is wrong with a value is said in the same words. */
function composeResources(flags: Flags): OciResources {
  refuse(flags, ["cpu-rt-period", "cpu-rt-runtime", "kernel-memory", "kernel-memory-tcp"]);
  refuse(flags, ["l3-cache-schema", "mem-bw-schema"]);
  const number = (name: string) => numberOf(flags, name);
  const json = {
    blockIO: { weight: number("blkio-weight") },
    cpu: {
      period: number("cpu-period"),
      quota: number("cpu-quota"),
      burst: number("cpu-burst"),
      shares: number("cpu-share"),
      cpus: flags.value("cpuset-cpus"),
      mems: flags.value("cpuset-mems"),
      idle: number("cpu-idle"),
    },
    memory: {
      limit: number("memory"),
      reservation: number("memory-reservation"),
      swap: number("memory-swap"),
    },
    ...(flags.value("pids-limit") === undefined ? {} : { pids: { limit: number("pids-limit") } }),
  };
  return parseResources(JSON.stringify(json)).value;
}

function refuse(flags: Flags, names: readonly string[]): void {
  const given = names.find((name) => flags.value(name) !== undefined);
  if (given === undefined) return;
  throw new TsrunError("UNSUPPORTED", `--${given} is not supported with cgroup v2`);
}

const SUFFIXES: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** Sizes may have a suffix, as runc takes them: "512m", "1G", "2gb". */
function numberOf(flags: Flags, name: string): number | undefined {
  const text = flags.value(name);
  if (text === undefined) return undefined;
  const [, digits, suffix = ""] = /^(-?\d+)([kmgt]?)b?$/i.exec(text) ?? [];
  const factor = SUFFIXES[suffix.toLowerCase()];
  if (digits !== undefined && factor !== undefined) return Number(digits) * factor;
  throw new TsrunError("INVALID_ARGUMENT", `invalid value for ${name}: ${text}`);
}
