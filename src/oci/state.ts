/** A container's state as `state` shows it and as its hooks get it. OCI runtime.md, "State". */
import type { ContainerRecord } from "./records.ts";
import type { Status } from "./status.ts";

/** What of the specification we know. */
export const OCI_VERSION = "1.2.0";

export interface ContainerState {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** In runc's order. The process is 0 once it has ended. */
export function composeState(record: ContainerRecord, status: Status, owner = ""): ContainerState {
  const { id, init, bundle, rootfs, created, annotations } = record;
  return {
    ...{ ociVersion: OCI_VERSION, id, pid: status === "stopped" ? 0 : (init?.pid ?? 0), status },
    ...{ bundle, rootfs, created },
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
    owner,
  };
}
