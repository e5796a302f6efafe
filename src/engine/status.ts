/**
 * What a container is, from what can be seen of it. Nothing here trusts a record that a killed
 * command may have left half-way: the table says what each remnant means.
 *
 *     state.json    exit.json   processes           status     remnant
 *     none          none        –                   created    –
 *     none          there       –                   exited     –
 *     another boot  none        –                   created    stale: the machine went down
 *     another boot  there       –                   exited     stale
 *     starting      any         lock held           starting   –
 *     starting      any         lock free           …          interrupted: the starter was killed
 *     running       there       –                   exited     ended (the supervisor may still tidy up)
 *     running       none        supervisor alive    running    –
 *     running       none        supervisor dead     exited     lost: the supervisor was killed
 */
import type { ContainerState, ContainerStatus, ContainerView, ExitRecord } from "./records.ts";

export interface StatusFacts {
  readonly state?: ContainerState;
  readonly exit?: ExitRecord;
  readonly bootId: string;
  readonly supervisorAlive: boolean;
}

/** What a run left that the next command with the container's lock has to clear away. */
export type Remnant = "none" | "stale" | "interrupted" | "ended" | "lost";

/** A container's records and what its last run left lying. */
export interface ObservedContainer extends ContainerView {
  readonly remnant: Remnant;
}

export interface DerivedStatus {
  readonly status: ContainerStatus;
  readonly remnant: Remnant;
}

/** `lockHeld`: some command holds the container's lock, so a status in transition is a live one. */
export function deriveStatus(
  facts: StatusFacts,
  { lockHeld }: { lockHeld: boolean },
): DerivedStatus {
  const { state, exit } = facts;
  const atRest = exit === undefined ? "created" : "exited";
  if (state === undefined) return { status: atRest, remnant: "none" };
  if (state.bootId !== facts.bootId) return { status: atRest, remnant: "stale" };
  switch (state.status) {
    case "starting":
    case "removing":
      if (lockHeld) return { status: state.status, remnant: "none" };
      return { status: atRest, remnant: "interrupted" };
    case "running":
    case "paused":
      if (exit !== undefined) return { status: "exited", remnant: "ended" };
      if (facts.supervisorAlive) return { status: state.status, remnant: "none" };
      return { status: "exited", remnant: "lost" };
  }
}
