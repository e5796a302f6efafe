import { TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import { freezeCgroup, thawCgroup } from "../runtime/index.ts";
import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { ContainerId, ContainerState, ContainerView } from "./records.ts";
import { writeState } from "./store/state.ts";

/** Freezes every process of the container (cgroup.freeze); returns its id once they stand still. */
export async function pauseContainer(engine: Engine, ref: string): Promise<ContainerId> {
  return withContainer(engine, ref, async (container) => {
    checkLifecycle("pause", container.status, container.config);
    const { cgroup, state } = runOf(container);
    // The record first: were this command killed in between, `resume` could still undo it.
    writeState(engine, { ...state, status: "paused" });
    faultPoint();
    try {
      await freezeCgroup(cgroup);
    } catch (error) {
      writeState(engine, state);
      throw error;
    }
    recordEvent(engine, container.config, "pause");
    return container.config.id;
  });
}

export async function resumeContainer(engine: Engine, ref: string): Promise<ContainerId> {
  return withContainer(engine, ref, async (container) => {
    checkLifecycle("resume", container.status, container.config);
    const { cgroup, state } = runOf(container);
    thawCgroup(cgroup);
    faultPoint();
    writeState(engine, { ...state, status: "running" });
    recordEvent(engine, container.config, "unpause");
    return container.config.id;
  });
}

/** The cgroup of a running container. */
export function runOf({ config, state }: ContainerView): {
  readonly cgroup: string;
  readonly state: ContainerState;
} {
  if (state?.cgroup !== undefined) return { cgroup: state.cgroup, state };
  throw new TsrunError("WRONG_STATE", `the container "${config.name}" has no cgroup`, {
    hint: "It has just ended.",
  });
}
