/**
 * One instruction that changes an image's configuration, as `commit --change` and `import --change`
 * take it: "CMD [\"sh\"]", "ENV A=1 B=\"two words\"", and podman's "CMD=sh". Pure.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { parseSignal, signalName } from "../base/signal.ts";
import type { ImageProcessConfig } from "./config.ts";

/** A configuration with the change made. */
export type ImageChange = (config: ImageProcessConfig) => ImageProcessConfig;

/** Throws INVALID_ARGUMENT for an instruction that does not exist or whose value cannot be meant. */
export function parseImageChange(text: string): ImageChange {
  const [, name = "", value = ""] = /^\s*([A-Za-z]+)(?:\s*=\s*|\s+)?(.*?)\s*$/s.exec(text) ?? [];
  const parse = INSTRUCTIONS.get(name.toUpperCase());
  if (!parse) {
    throw invalid(
      text,
      `there is no instruction "${name}"`,
      `Use ${[...INSTRUCTIONS.keys()].join(", ")}.`,
    );
  }
  return parse(value, text);
}

type Parse = (value: string, text: string) => ImageChange;

const INSTRUCTIONS: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  ["CMD", (value) => set({ Cmd: parseCommand(value) })],
  ["ENTRYPOINT", (value) => set({ Entrypoint: parseCommand(value) })],
  ["ENV", (value, text) => withEnv(parsePairs(value, text))],
  [
    "EXPOSE",
    (value, text) =>
      addKeys(
        "ExposedPorts",
        words(value, text).map((port) => parsePort(port, text)),
      ),
  ],
  ["LABEL", (value, text) => addLabels(parsePairs(value, text))],
  ["ONBUILD", (value, text) => addOnBuild(required(value, text))],
  ["STOPSIGNAL", (value) => set({ StopSignal: signalName(parseSignal(value)) })],
  ["USER", (value, text) => set({ User: required(value, text) })],
  ["VOLUME", (value, text) => addKeys("Volumes", parsePaths(value, text))],
  ["WORKDIR", (value, text) => addWorkdir(required(value, text))],
]);

function set(fields: Partial<ImageProcessConfig>): ImageChange {
  return (config) => ({ ...config, ...fields });
}

/** Each variable once, in its first place. */
export function withEnv(pairs: readonly Pair[]): ImageChange {
  return (config) => {
    const env = new Map((config.Env ?? []).map((entry) => splitPair(entry)));
    for (const [name, value] of pairs) env.set(name, value);
    return { ...config, Env: [...env].map(([name, value]) => `${name}=${value}`) };
  };
}

function addLabels(pairs: readonly Pair[]): ImageChange {
  return (config) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairs) },
  });
}

function addKeys(field: "ExposedPorts" | "Volumes", keys: readonly string[]): ImageChange {
  return (config) => ({
    ...config,
    [field]: { ...config[field], ...Object.fromEntries(keys.map((key) => [key, {}])) },
  });
}

function addOnBuild(instruction: string): ImageChange {
  return (config) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), instruction] });
}

/** A relative one continues the one before. */
function addWorkdir(path: string): ImageChange {
  return (config) => ({
    ...config,
    WorkingDir: posix.resolve("/", config.WorkingDir ?? "/", path),
  });
}

/** A JSON array as it is; other text is for a shell; nothing clears it. */
function parseCommand(value: string): readonly string[] {
  const array = parseArray(value);
  if (array) return array;
  return value === "" ? [] : ["/bin/sh", "-c", value];
}

function parseArray(value: string): readonly string[] | undefined {
  if (!value.startsWith("[")) return undefined;
  try {
    const array: unknown = JSON.parse(value);
    const fits = Array.isArray(array) && array.every((item) => typeof item === "string");
    return fits ? array : undefined;
  } catch {
    return undefined; // the Containerfile's rule: what is no JSON is a command for a shell
  }
}

function parsePaths(value: string, text: string): readonly string[] {
  const paths = parseArray(value) ?? words(value, text);
  if (paths.length > 0) return paths;
  throw invalid(text, "it names no directory", "Write VOLUME /data.");
}

type Pair = readonly [name: string, value: string];

/** "A=1 B=2", or "A all the rest". */
function parsePairs(value: string, text: string): readonly Pair[] {
  const [first = "", ...others] = words(value, text);
  if (first === "") throw invalid(text, "it names nothing", "Write NAME=VALUE.");
  const pairs = [first, ...others];
  if (pairs.every((pair) => pair.indexOf("=") > 0)) return pairs.map(splitPair);
  if (first.includes("=") || others.length === 0) {
    throw invalid(
      text,
      `"${pairs.find((pair) => pair.indexOf("=") <= 0)}" has no value`,
      "Write NAME=VALUE.",
    );
  }
  return [[first, value.slice(value.indexOf(first) + first.length).trim()]];
}

function splitPair(text: string): Pair {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

const PORT = /^(\d+)(-\d+)?(?:\/(tcp|udp|sctp))?$/i;
const LAST_PORT = 65_535;

function parsePort(port: string, text: string): string {
  const [, first = "", to = "", protocol = "tcp"] = PORT.exec(port) ?? [];
  const last = to === "" ? Number(first) : Number(to.slice(1));
  const fits = first !== "" && Number(first) > 0 && last >= Number(first) && last <= LAST_PORT;
  if (fits) return `${first}${to}/${protocol.toLowerCase()}`;
  throw invalid(text, `"${port}" is no port`, "Write a port such as 80, 53/udp or 8000-8010/tcp.");
}

function required(value: string, text: string): string {
  if (value !== "") return value;
  throw invalid(text, "it has no value", "Write it after the instruction.");
}

/** Words as a Containerfile has them: quotes keep blanks, a backslash keeps one character. */
function words(value: string, text: string): readonly string[] {
  const found: string[] = [];
  const word = /(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^\s"'\\]))/sy;
  let current: string | undefined;
  for (let at = 0; at < value.length; at = word.lastIndex) {
    const blank = /\s+/y;
    blank.lastIndex = at;
    if (blank.test(value)) {
      if (current !== undefined) found.push(current);
      current = undefined;
      word.lastIndex = blank.lastIndex;
      continue;
    }
    word.lastIndex = at;
    const part = word.exec(value);
    if (!part)
      throw invalid(text, "a quote is not closed", "Close it, or escape it with a backslash.");
    const [, quoted, literal, escaped, plain] = part;
    current =
      (current ?? "") + (quoted?.replace(/\\(["\\$])/g, "$1") ?? literal ?? escaped ?? plain ?? "");
  }
  if (current !== undefined) found.push(current);
  return found;
}

function invalid(text: string, problem: string, hint: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", `invalid instruction "${text}": ${problem}`, {
    hint,
    origin: "--change",
  });
}
