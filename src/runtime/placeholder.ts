/**
 * A process that only is there: for who makes a cgroup that must not be empty (systemd's scopes) before
 * the container is cloned into it. It is a stage's child, held for ever at its first op: what memory it
 * has was counted where it was made, and it dies with the caller.
 */
import { TsrunError } from "../base/errors.ts";
import { launch } from "./launch.ts";
import { planHeld } from "./plan-held.ts";

export interface Placeholder {
  readonly pid: number;
  /** It is gone when this resolves; it may be called again. */
  readonly end: () => Promise<void>;
}

/** Throws LAUNCH_FAILED. */
export async function startPlaceholder(): Promise<Placeholder> {
  const launched = launch(planHeld({ origin: "linux.cgroupsPath" }), {
    stdio: [0, 1, 2],
    title: "tsrun-oci: placeholder",
  });
  const end = async () => {
    launched.detach();
    try {
      await launched.ended;
    } catch (error) {
      if (!(error instanceof TsrunError)) throw error; // it is undone: that is what we wanted
    }
  };
  try {
    return { pid: await launched.created, end };
  } catch (error) {
    await end();
    throw error;
  }
}
