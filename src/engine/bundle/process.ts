/**
 * What a container executes, resolved once when it is created: the image's configuration and the
 * request merged, so that every later start means the same. Pure.
 */
import { TsrunError } from "../../base/errors.ts";
import { parseSignal, signalName } from "../../base/signal.ts";
import type { ContainerConfig, ContainerId } from "../records.ts";
import type { ContainerRequest } from "../request.ts";

/** The part of an OCI image's configuration that becomes a process (image-spec config.md "config"). */
export interface ImageDefaults {
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, object>> | null;
}

const DEFAULT_STOP_SIGNAL = "SIGTERM";
const DEFAULT_STOP_TIMEOUT_SECONDS = 10;
/** What every runtime sets where an image says nothing. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Throws INVALID_ARGUMENT where there is nothing to execute, or a field cannot mean anything. */
export function resolveProcess(
  request: ContainerRequest,
  image: ImageDefaults,
  { hostname }: { readonly hostname: string },
): ContainerConfig["process"] {
  return {
    args: resolveArgs(request, image),
    env: resolveEnv(request, image, hostname),
    cwd: resolveCwd(request.workdir ?? (image.WorkingDir || "/")),
    user: request.user ?? image.User ?? "",
    stopSignal: signalName(
      parseSignal(request.stopSignal ?? (image.StopSignal || DEFAULT_STOP_SIGNAL)),
    ),
    stopTimeoutSeconds: request.stopTimeoutSeconds ?? DEFAULT_STOP_TIMEOUT_SECONDS,
  };
}

/** An entrypoint of the request's own makes the image's Cmd meaningless: it was its arguments. */
function resolveArgs(request: ContainerRequest, image: ImageDefaults): readonly string[] {
  const entrypoint = request.entrypoint ?? image.Entrypoint ?? [];
  const imageCommand = request.entrypoint === undefined ? (image.Cmd ?? []) : [];
  const command = request.command?.length ? request.command : imageCommand;
  const args = [...entrypoint, ...command];
  if (args.length > 0 && args[0] !== "") return args;
  throw new TsrunError("INVALID_ARGUMENT", "no command is given and the image names none", {
    hint: "Write a command after the image, for example `sh`.",
  });
}

function resolveEnv(request: ContainerRequest, image: ImageDefaults, hostname: string): string[] {
  const env = new Map<string, string>([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", hostname],
    ["container", "tsrun"],
  ]);
  if (request.tty) env.set("TERM", "xterm");
  for (const entry of image.Env ?? []) {
    const equals = entry.indexOf("=");
    if (equals > 0) env.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  for (const [name, value] of Object.entries(request.env ?? {})) {
    env.set(checkedName(name), checkedValue(name, value));
  }
  return [...env].map(([name, value]) => `${name}=${value}`);
}

function checkedName(name: string): string {
  if (name !== "" && !/[=\0]/.test(name)) return name;
  throw new TsrunError("INVALID_ARGUMENT", `${JSON.stringify(name)} cannot be a variable's name`, {
    hint: "A name is not empty and has no equals sign.",
  });
}

function checkedValue(name: string, value: string): string {
  if (!value.includes("\0")) return value;
  throw new TsrunError("INVALID_ARGUMENT", `the value of the variable "${name}" contains a NUL`, {
    hint: "Environment variables cannot hold NUL bytes (environ(7)).",
  });
}

function resolveCwd(path: string): string {
  if (path.startsWith("/")) return path;
  throw new TsrunError("INVALID_ARGUMENT", `the working directory "${path}" is not absolute`, {
    hint: "Write the whole path as it is inside the container.",
  });
}

/** The name that the container sees as its own. */
export function containerHostname(
  request: ContainerRequest,
  id: ContainerId,
  hostHostname: string,
): string {
  if (request.namespaces?.uts?.kind === "host") return hostHostname;
  return request.hostname ?? id.slice(0, 12);
}
