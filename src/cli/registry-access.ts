/**
 * The options of commands that talk to registries, as the engine takes them.
 */
import { statSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import { type Engine, type PullPolicy, prepareImage } from "../engine/index.ts";
import type { Platform, RegistryAccess } from "../images/index.ts";
import { parsePlatform } from "../images/index.ts";
import { parseChoice } from "./filters.ts";
import { ImageProgressView } from "./image-progress.ts";
import type { OptionValues } from "./option-values.ts";

/** Throws INVALID_ARGUMENT for a directory or credentials that cannot be meant. */
export function readLoginAccess(options: OptionValues): RegistryAccess {
  const authFile = options.value("authfile");
  const certDir = options.value("cert-dir");
  if (certDir !== undefined) checkDirectory(certDir);
  return {
    ...(options.isGiven("tls-verify") ? { insecure: !options.flag("tls-verify") } : {}),
    ...(certDir === undefined ? {} : { certDir }),
    ...(authFile === undefined ? {} : { authFile }),
  };
}

/** Also --creds, which login does not have. */
export function readRegistryAccess(options: OptionValues): RegistryAccess {
  const creds = options.value("creds");
  const access = readLoginAccess(options);
  return creds === undefined ? access : { ...access, credentials: parseCredentials(creds) };
}

function checkDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TsrunError("INVALID_ARGUMENT", `--cert-dir: "${path}" is not a directory`, {
    hint: "It holds ca.crt, and perhaps client.cert and client.key.",
  });
}

function parseCredentials(text: string): NonNullable<RegistryAccess["credentials"]> {
  const [username = "", ...password] = text.split(":");
  if (username !== "" && password.length > 0) {
    return { kind: "password", username, password: password.join(":") };
  }
  throw new TsrunError("INVALID_ARGUMENT", "--creds has no user or no password", {
    hint: "Write it as --creds USER:PASSWORD, or use `tsrun login`.",
  });
}

export function readPlatform(options: OptionValues): { readonly platform?: Platform } {
  const platform = options.value("platform");
  return platform === undefined ? {} : { platform: parsePlatform(platform) };
}

const POLICIES = ["always", "missing", "never", "newer"] as const satisfies readonly PullPolicy[];

/** The request with an image that is there: run and create pull one that is not. */
export async function bringImage(
  engine: Engine,
  request: Parameters<typeof prepareImage>[1],
  { options, signal }: { readonly options: OptionValues; readonly signal?: AbortSignal },
): ReturnType<typeof prepareImage> {
  const policy = parseChoice("--pull", options.value("pull") ?? "missing", POLICIES);
  const access = readRegistryAccess(options);
  using progress = new ImageProgressView({ quiet: false });
  return await prepareImage(engine, request, {
    ...{ policy, ...access, ...readPlatform(options) },
    onSource: progress.source,
    onProgress: progress.blob,
    ...(signal ? { signal } : {}),
  });
}
