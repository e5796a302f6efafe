/** What the mounts of one container share while they are planned, and what planning one gives. */
import type { PlannedOp, Slot } from "../plan/index.ts";
import type { RootfsFacts } from "./facts.ts";
import type { IdMapsKey } from "./id-maps.ts";
import type { RootfsSlots } from "./ops.ts";

/** Whether the container has namespaces that its user namespace owns: the kernel's condition for some mounts. */
export interface NamespaceOwnership {
  readonly userNamespace: boolean;
  readonly network: boolean;
  readonly ipc: boolean;
  readonly pid: boolean;
  /** The container has a cgroup namespace that is not the host's. */
  readonly cgroup: boolean;
}

export interface MountContext {
  readonly owns: NamespaceOwnership;
  readonly facts: RootfsFacts;
  readonly slots: RootfsSlots;
  readonly mountLabel: string;
  /** The user namespace with this mount's maps, where it has any. */
  readonly idMapSlot: Slot | undefined;
  /** A detached mount that the caller made before the launch. */
  readonly prepared: Slot | undefined;
}

export interface MountPlan {
  readonly host: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
  /** The new mount itself, where something is to be done in it later (proc, /dev, devpts). */
  readonly mounted?: Slot;
}

/** What the caller has made before the launch, in slots. */
export interface ReadySlots {
  /** User namespaces for `idMapsNeeded`. */
  readonly idMapSlots?: ReadonlyMap<IdMapsKey, Slot>;
  /**
   * Mounts by their index that were made before the launch (`createCopiedUpMounts`), detached;
   * "plain" where tmpcopyup found nothing to copy.
   */
  readonly preparedMounts?: ReadonlyMap<number, Slot | "plain">;
}
