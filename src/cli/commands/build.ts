import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { text as readStream } from "node:stream/consumers";
import { writeFileAtomic } from "../../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../../base/errors.ts";
import {
  BuildFailure,
  type BuildOptions,
  buildImage,
  type ContextChoice,
  readBuildContext,
} from "../../build/index.ts";
import { BuildProgressView } from "../build-progress.ts";
import { note, openEngineFor, warn } from "../engine-context.ts";
import { errorText } from "../error-text.ts";
import { parseChoice } from "../filters.ts";
import { statusOfEndedStart } from "../foreground.ts";
import { ImageProgressView } from "../image-progress.ts";
import type { OptionValues } from "../option-values.ts";
import { parseCompression } from "../options/compression.ts";
import { parseEnv } from "../options/env.ts";
import { parseLabel } from "../options/labels.ts";
import { parseLimits } from "../options/limits.ts";
import { parseNetwork } from "../options/namespaces.ts";
import { parseAddHost, parseDns } from "../options/network-files.ts";
import { parseInteger } from "../options/number.ts";
import { parseBuildSecret } from "../options/secret.ts";
import { parseVolume } from "../options/volumes.ts";
import { printError, printLine } from "../output.ts";
import { readPlatform, readRegistryAccess } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const quiet = options.flag("quiet");
  const read = readBuildContext(await chooseContext(options, operands[0] ?? "."));
  const volumes = options.list("volume").map((text) => parseVolume(text, process.cwd()));
  for (const text of volumes.flatMap(({ notes }) => notes)) note(globals, text);
  const request = { ...read, ...parseBuild(options), mounts: volumes.map(({ mount }) => mount) };
  if (!options.flag("layers")) note(globals, "--layers=false has no effect: each step is a layer");
  const engine = openEngineFor(globals);
  using signals = new SignalProxy();
  using pulling = new ImageProgressView({ quiet });
  const progress = new BuildProgressView({ quiet, warn: (message) => warn(globals, message) });
  try {
    const { image } = await buildImage(engine, {
      ...request,
      signal: signals.startSignal,
      onProgress: progress.tell,
      registry: {
        ...readRegistryAccess(options),
        ...{ onSource: pulling.source, onProgress: pulling.blob },
      },
    });
    progress.end();
    const iidFile = options.value("iidfile");
    if (iidFile !== undefined) writeFileAtomic(iidFile, `sha256:${image.id}`, { mode: 0o644 });
    if (!quiet) for (const name of request.tags ?? []) printError(`Tagged ${name}`);
    printLine(image.id);
    return 0;
  } catch (error) {
    if (error instanceof BuildFailure) {
      progress.failed();
      printError(errorText(error, { debug: globals.debug }));
      return error.status;
    }
    progress.end();
    return statusOfEndedStart(error, signals);
  }
}

async function chooseContext(options: OptionValues, operand: string): Promise<ContextChoice> {
  const file = options.value("file");
  const ignoreFile = options.value("ignorefile");
  if (/^(https?|git|ssh):\/\/|^git@/.test(operand)) {
    throw new TsrunError("UNSUPPORTED", `"${operand}" is no directory`, {
      hint: "A context is a directory here: clone or unpack it first.",
    });
  }
  const rest = ignoreFile === undefined ? {} : { ignoreFile };
  if (operand === "-")
    return { context: undefined, text: await readStream(process.stdin), ...rest };
  if (file === "-") return { context: operand, text: await readStream(process.stdin), ...rest };
  return { context: operand, ...(file === undefined ? {} : { file }), ...rest };
}

function parseBuild(options: OptionValues): Omit<BuildOptions, "containerfile"> {
  const target = options.value("target");
  const timestamp = options.value("timestamp");
  const network = options.value("network");
  const limits = parseLimits(options, noDevice);
  const env = options.list("env").flatMap((text) => parseEnv("--env", text, process.env));
  return {
    tags: options.list("tag"),
    buildArgs: parseBuildArgs(options.list("build-arg")),
    ...(target === undefined ? {} : { target }),
    ...readPlatform(options),
    noCache: options.flag("no-cache"),
    pull: parseChoice("--pull", options.value("pull") ?? "missing", PULL_POLICIES),
    ...(timestamp === undefined ? {} : { timestampMs: parseTimestamp(timestamp) }),
    ...(network === undefined ? {} : { network: parseNetwork(network) }),
    secrets: Object.fromEntries(options.list("secret").map(readSecret)),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...given("addHosts", options.list("add-host").flatMap(parseAddHost)),
    ...given("dns", options.list("dns").map(parseDns)),
    labels: Object.fromEntries(options.list("label").map((text) => parseLabel("--label", text))),
    annotations: Object.fromEntries(
      options.list("annotation").map((text) => parseLabel("--annotation", text)),
    ),
    env: Object.fromEntries(env),
    jobs: parseJobs(options.value("jobs")),
    compression: parseCompression(options),
  };
}

const PULL_POLICIES = ["always", "missing", "never", "newer"] as const;

function given<K extends string, T>(
  name: K,
  values: readonly T[],
): { readonly [name in K]?: readonly T[] } {
  return values.length === 0 ? {} : ({ [name]: values } as { readonly [name in K]: readonly T[] });
}

function noDevice(flag: string, path: string): never {
  throw new TsrunError("UNSUPPORTED", `${flag}: a build takes no limit for the device "${path}"`, {
    hint: "Use --io-weight, or --memory, --cpus and --pids-limit.",
  });
}

/** podman's: a name alone takes this environment's value, and is left out where there is none. */
function parseBuildArgs(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.flatMap((text) => parseEnv("--build-arg", text, process.env)));
}

function parseTimestamp(text: string): number {
  return parseInteger("--timestamp", text, { min: 0, max: 253_402_300_799 }) * 1000;
}

function parseJobs(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  const jobs = parseInteger("--jobs", text, { min: 0, max: 10_000 });
  return jobs === 0 ? Number.POSITIVE_INFINITY : jobs;
}

function readSecret(text: string): readonly [string, Uint8Array] {
  const { id, source } = parseBuildSecret(text);
  if (source.kind === "env") {
    const value = process.env[source.name];
    if (value !== undefined) return [id, Buffer.from(value)];
    throw new TsrunError("NOT_FOUND", `--secret ${id}: there is no variable "${source.name}"`);
  }
  try {
    return [id, readFileSync(source.path)];
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "EISDIR")) throw error;
    throw new TsrunError("NOT_FOUND", `--secret ${id}: "${source.path}" is no file`, {
      cause: error,
    });
  }
}
