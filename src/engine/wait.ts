import { TsrunError } from "../base/errors.ts";
import type { ExitStatus } from "../runtime/index.ts";
import { viewIfThere } from "./container.ts";
import type { Engine } from "./engine.ts";
import { DirectoryChanges } from "./events/changes.ts";
import { readJournaledExit } from "./events/watch.ts";
import { exitStatusOf } from "./exit.ts";
import type { ContainerId, ContainerStatus, ContainerView } from "./records.ts";
import { noSuchContainer, resolveContainer } from "./resolve.ts";
import { waitForEnd } from "./store/process-identity.ts";

export type WaitCondition = "exited" | "running" | "paused" | "removed";

export interface WaitOptions {
  /** "exited" without it. */
  readonly condition?: WaitCondition;
  /** Rejects with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Waits until the container is what the condition says, asleep until something happens to it. The
 * answer is how it ended last; for a container that never ended, code 0. One that is removed while it
 * is waited for counts as ended.
 */
export async function waitContainer(
  engine: Engine,
  ref: string,
  { condition = "exited", signal }: WaitOptions = {},
): Promise<ExitStatus> {
  const id = resolveContainer(engine, ref);
  // Opened before the first look, so that no change falls in between.
  using changes = new DirectoryChanges(engine.runRoot);
  for (;;) {
    const view = await viewIfThere(engine, id);
    if (!view) return removedExit(engine, id, condition);
    if (isMet(view.status, condition)) return lastExit(view);
    if (condition === "exited" && view.state?.supervisor && view.status !== "created") {
      await waitForEnd(view.state.supervisor, signal);
    } else if ((await changes.next({ signal })) === "over") {
      throw new TsrunError("ABORTED", "the wait was aborted", { cause: signal?.reason });
    }
  }
}

function isMet(status: ContainerStatus, condition: WaitCondition): boolean {
  if (condition === "removed") return false;
  return status === condition;
}

function lastExit({ exit }: ContainerView): ExitStatus {
  return exit ? exitStatusOf(exit) : { kind: "exited", code: 0 };
}

/** The supervisor writes the end into the journal before anybody can remove the container. */
function removedExit(engine: Engine, id: ContainerId, condition: WaitCondition): ExitStatus {
  const exit = readJournaledExit(engine, id);
  if (exit) return exitStatusOf(exit);
  if (condition === "removed") return { kind: "exited", code: 0 };
  throw noSuchContainer(id);
}
