/**
 * A container as a row of ps, with podman's fields.
 */
import type { ContainerView } from "../../engine/index.ts";
import { goTime, humanAgo, humanDuration, shortId, truncated } from "../format/human.ts";
import { toMap, type Value, type ValueRecord } from "../format/value.ts";

export const CONTAINER_TABLE =
  "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.CreatedHuman}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

export const CONTAINER_HEADINGS: Readonly<Record<string, string>> = {
  ID: "CONTAINER ID",
  CreatedHuman: "CREATED",
  RunningFor: "CREATED",
  ImageID: "IMAGE ID",
  ExitedAt: "EXITED AT",
};

const COMMAND_COLUMNS = 17;

export interface RowOptions {
  readonly now: Date;
  /** Cut ids and commands to what fits a table. */
  readonly truncate: boolean;
}

export function containerRow(view: ContainerView, { now, truncate }: RowOptions): ValueRecord {
  const { config, status, state, exit } = view;
  const { request, image } = config;
  const created = new Date(config.createdAt);
  const command = config.process.args.join(" ");
  const startedAt = state?.startedAt;
  return {
    ID: truncate ? shortId(config.id) : config.id,
    Names: config.name,
    Image: image?.reference ?? request.rootfs ?? "",
    ImageID: image === undefined ? "" : truncate ? shortId(image.id) : image.id,
    Command: truncate ? truncated(command, COMMAND_COLUMNS) : command,
    CreatedAt: goTime(created),
    Created: Math.floor(created.getTime() / 1000),
    CreatedHuman: humanAgo(created, now),
    RunningFor: humanAgo(created, now),
    State: status,
    Status: statusText(view, now),
    StartedAt: startedAt === undefined ? 0 : Math.floor(Date.parse(startedAt) / 1000),
    Exited: status === "exited",
    ExitedAt: exit === undefined ? 0 : Math.floor(Date.parse(exit.finishedAt) / 1000),
    ExitCode: exitCode(view),
    Pid: state?.init?.pid ?? 0,
    Ports: "",
    Networks: networkText(view),
    Mounts: (request.mounts ?? []).map(({ target }): Value => target),
    Labels: toMap(request.labels),
  };
}

/** 128 and the signal's number for a process that a signal ended; 0 for one that has not ended. */
export function exitCode({ exit }: ContainerView): number {
  if (!exit) return 0;
  return exit.signal === null ? (exit.exitCode ?? 0) : 128 + exit.signal;
}

/** "Up 5 minutes", "Exited (0) 2 hours ago", "Created". */
export function statusText(view: ContainerView, now: Date): string {
  const { status, state, exit } = view;
  switch (status) {
    case "running":
      return `Up ${humanDuration(now.getTime() - Date.parse(state?.startedAt ?? now.toISOString()))}`;
    case "paused":
      return "Paused";
    case "exited":
      return exit
        ? `Exited (${exitCode(view)}) ${humanAgo(new Date(exit.finishedAt), now)}`
        : "Exited";
    case "created":
      return "Created";
    case "starting":
      return "Starting";
    case "removing":
      return "Removing";
  }
}

function networkText({ config }: ContainerView): string {
  const network = config.request.namespaces?.network;
  if (network === undefined || network.kind === "private") return "none";
  if (network.kind === "container") return `container:${network.container}`;
  return network.kind === "path" ? `ns:${network.path}` : network.kind;
}
