import { importImage } from "../../engine/index.ts";
import { type ImageProcessConfig, parseImageChange } from "../../images/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { statusOfEndedStart } from "../foreground.ts";
import type { OptionValues } from "../option-values.ts";
import { parseCompression } from "../options/compression.ts";
import { parseEnv } from "../options/env.ts";
import { parseEntrypoint, parseSignal, parseUser, parseWorkdir } from "../options/identity.ts";
import { parseLabel } from "../options/labels.ts";
import { printError, printLine } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { SignalProxy } from "../terminal/signal-proxy.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<number> {
  const [source = "", name = ""] = operands;
  const changes = options.list("change").map(parseImageChange);
  const config = changes.reduce((changed, change) => change(changed), parseImageConfig(options));
  const comment = options.value("message");
  const compression = parseCompression(options);
  const engine = openEngineFor(globals);
  using signals = new SignalProxy();
  try {
    const image = await importImage(engine, source, name, {
      ...{ config, compression },
      ...(comment === undefined ? {} : { comment }),
      signal: signals.startSignal,
    });
    if (!options.flag("quiet")) printError(`Imported ${image.names.join(", ")}`);
    printLine(image.id);
    return 0;
  } catch (error) {
    return statusOfEndedStart(error, signals);
  }
}

/** OCI image-spec config.md "config". */
function parseImageConfig(options: OptionValues): ImageProcessConfig {
  const entrypoint = options.value("entrypoint");
  const command = options.value("cmd");
  const workdir = options.value("workdir");
  const user = options.value("user");
  const stopSignal = options.value("stop-signal");
  const env = options.list("env").flatMap((text) => parseEnv("--env", text, process.env));
  const labels = options.list("label").map((text) => parseLabel("--label", text));
  return {
    ...(entrypoint === undefined
      ? {}
      : { Entrypoint: parseEntrypoint("--entrypoint", entrypoint) }),
    ...(command === undefined ? {} : { Cmd: parseEntrypoint("--cmd", command) }),
    ...(workdir === undefined ? {} : { WorkingDir: parseWorkdir("--workdir", workdir) }),
    ...(user === undefined ? {} : { User: parseUser("--user", user) }),
    ...(stopSignal === undefined ? {} : { StopSignal: parseSignal("--stop-signal", stopSignal) }),
    ...(env.length > 0 ? { Env: env.map(([key, value]) => `${key}=${value}`) } : {}),
    ...(labels.length > 0 ? { Labels: Object.fromEntries(labels) } : {}),
  };
}
