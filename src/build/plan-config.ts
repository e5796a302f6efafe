/**
 * What instructions do to the image's configuration. image-spec config.md; docker's fields where OCI has
 * none (Healthcheck, Shell, OnBuild).
 */
import { posix } from "node:path";
import type { ImageProcessConfig } from "../images/index.ts";
import type { CommandForm, Flags, Healthcheck } from "./instruction.ts";

export const DEFAULT_SHELL: readonly string[] = ["/bin/sh", "-c"];

/** The arguments that a command's form stands for. */
export function commandArgs(command: CommandForm, config: ImageProcessConfig): readonly string[] {
  if (command.form === "exec") return command.args;
  return [...(config.Shell ?? DEFAULT_SHELL), command.script];
}

export function envOf({ Env = [] }: ImageProcessConfig): ReadonlyMap<string, string> {
  return new Map(
    Env.map((entry) => {
      const [name = "", ...value] = entry.split("=");
      return [name, value.join("=")];
    }),
  );
}

/** A variable that is there already keeps its place. */
export function withEnv(
  config: ImageProcessConfig,
  pairs: readonly (readonly [name: string, value: string])[],
): ImageProcessConfig {
  const env = new Map(envOf(config));
  for (const [name, value] of pairs) env.set(name, value);
  return { ...config, Env: [...env].map(([name, value]) => `${name}=${value}`) };
}

export function withLabels(
  config: ImageProcessConfig,
  pairs: readonly (readonly [name: string, value: string])[],
): ImageProcessConfig {
  return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairs) } };
}

/** "80", "80/udp", "8000-8010/tcp"; undefined for what is no port. */
export function parsePorts(text: string): readonly string[] | undefined {
  const [, from = "", to = from, protocol = "tcp"] =
    /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from === "" || first < 1 || last > 65_535 || last < first) return undefined;
  return Array.from(
    { length: last - first + 1 },
    (_, at) => `${first + at}/${protocol.toLowerCase()}`,
  );
}

export function withPorts(
  config: ImageProcessConfig,
  ports: readonly string[],
): ImageProcessConfig {
  return { ...config, ExposedPorts: { ...config.ExposedPorts, ...emptyObjects(ports) } };
}

export function withVolumes(
  config: ImageProcessConfig,
  paths: readonly string[],
): ImageProcessConfig {
  return { ...config, Volumes: { ...config.Volumes, ...emptyObjects(paths) } };
}

function emptyObjects(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

export function workdirOf({ WorkingDir }: ImageProcessConfig): string {
  return WorkingDir === undefined || WorkingDir === "" ? "/" : WorkingDir;
}

/** A path of an instruction, which counts from the working directory; a slash at its end stays. */
export function pathInImage(config: ImageProcessConfig, path: string): string {
  const resolved = posix.resolve("/", workdirOf(config), path);
  const isDirectory = /(^|\/)\.{0,2}$/.test(path);
  return isDirectory && resolved !== "/" ? `${resolved}/` : resolved;
}

const UNITS_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's durations, "1m30s", in nanoseconds; undefined for what is none. */
export function parseDurationNs(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g);
  let sum = 0;
  for (const [, number = "0", unit = "s"] of parts) sum += Number(number) * (UNITS_NS[unit] ?? 0);
  return Math.round(sum);
}

const DURATIONS: Readonly<Record<string, string>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

/** Answers what is wrong with a flag instead, where something is. */
export function composeHealthcheck({
  command,
  flags,
}: Healthcheck): NonNullable<ImageProcessConfig["Healthcheck"]> | string {
  if (!command) return { Test: ["NONE"] };
  const test = command.form === "exec" ? ["CMD", ...command.args] : ["CMD-SHELL", command.script];
  const numbers = parseHealthFlags(flags);
  return typeof numbers === "string" ? numbers : { Test: test, ...numbers };
}

function parseHealthFlags(flags: Flags): Record<string, number> | string {
  const numbers: Record<string, number> = {};
  for (const { name, value } of flags) {
    const field = DURATIONS[name];
    const number = field ? parseDurationNs(value) : /^\d+$/.test(value) ? Number(value) : undefined;
    if (number === undefined) return `--${name} cannot be "${value}"`;
    numbers[field ?? "Retries"] = number;
  }
  return numbers;
}
