/**
 * RUN: a command in a container of its own, on the image so far.
 */
import { closeSync } from "node:fs";
import { BUILD_LABEL, type ContainerRequest, type Engine, runOnLayers } from "../engine/index.ts";
import type { Draft, ImageDrafts } from "../images/index.ts";
import type { ExitStatus } from "../runtime/index.ts";
import type { BuildOptions } from "./options.ts";
import { findMissingPoints, type RunMounts, removeMountPoints } from "./run-mounts.ts";
import type { RunAction } from "./step.ts";
import { openReadOnlyRoot } from "./step-root.ts";

export interface RunContext {
  readonly engine: Engine;
  readonly drafts: ImageDrafts;
  readonly options: BuildOptions;
  /** What `ps` shows as the image. */
  readonly imageName: string;
  /** Tells the build whose container it is. */
  readonly label: string;
  readonly onOutput: (stream: "stdout" | "stderr", chunk: Uint8Array) => void;
}

/** Runs the command, and hands its upper to `keep` if it ended with 0. Answers how it ended. */
export async function runStep(
  { engine, drafts, options, imageName, label, onOutput }: RunContext,
  action: RunAction,
  {
    draft,
    mounts,
    keep,
  }: {
    readonly draft: Draft;
    readonly mounts: RunMounts;
    readonly keep: (upper: string) => Promise<void>;
  },
): Promise<ExitStatus> {
  const request = composeRequest(action, { options, imageName, label, mounts });
  const root = openReadOnlyRoot(drafts, draft);
  const missing = findMissingPoints(root, request.mounts ?? []);
  closeSync(root);
  const { signal } = options;
  const { directories, rootLayer } = draft;
  return runOnLayers(
    engine,
    { request, layers: directories, rootLayer, onOutput, ...(signal ? { signal } : {}) },
    async ({ exit, upper, warnings }) => {
      for (const message of warnings) options.onProgress?.({ kind: "warning", message });
      if (exit.kind === "exited" && exit.code === 0) {
        removeMountPoints(upper, missing);
        await keep(upper);
      }
      return exit;
    },
  );
}

/** Nothing of it depends on when or where it runs: the same command makes the same files. */
const HOSTNAME = "build";

function composeRequest(
  { args, env, hiddenEnv, user, workdir, network }: RunAction,
  {
    options,
    imageName,
    label,
    mounts,
  }: {
    readonly options: BuildOptions;
    readonly imageName: string;
    readonly label: string;
    readonly mounts: RunMounts;
  },
): ContainerRequest {
  const { limits, dns, addHosts, network: given } = options;
  return {
    image: imageName,
    command: args,
    entrypoint: [],
    hostname: HOSTNAME,
    env: { HOSTNAME, ...hiddenEnv, ...env, ...mounts.env },
    user,
    workdir,
    labels: { [BUILD_LABEL]: label },
    mounts: [...(options.mounts ?? []), ...mounts.mounts],
    ...(limits ? { limits } : {}),
    ...(dns ? { dns } : {}),
    ...(addHosts ? { addHosts } : {}),
    namespaces: { network: networkOf(network, given) },
  };
}

function networkOf(
  wanted: RunAction["network"],
  given: BuildOptions["network"],
): NonNullable<BuildOptions["network"]> {
  if (wanted === "none") return { kind: "private" };
  return wanted === "host" ? { kind: "host" } : (given ?? { kind: "private" });
}
