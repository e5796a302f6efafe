/**
 * What a container is, from what can be seen of it. Nothing here trusts a record that a killed
 * command may have left half-way: the table says what each remnant means.
 *
 *     state.json     exit.json   otherwise             status      remnant
 *     none           none        –                     created     –
 *     none           there       –                     exited      –
 *     none           any         run directory, lock   starting    –
 *     none           any         run directory         …           interrupted: the starter was killed
 *     another boot   any         –                     …           stale: the machine went down
 *     this boot      there       –                     exited      ended (its supervisor may still tidy up)
 *     this boot      none        supervisor alive      running     –
 *     this boot      none        its holder is dead    running     held: the holder was killed
 *     this boot      none        supervisor dead       exited      lost: the supervisor was killed
 */
import type { ContainerState, ContainerStatus, ContainerView, ExitRecord } from "./records.ts";

export interface StatusFacts {
  readonly state?: ContainerState;
  readonly exit?: ExitRecord;
  /** RUN/containers/ID is there. */
  readonly hasRunDirectory: boolean;
  readonly bootId: string;
  readonly supervisorAlive: boolean;
  /** Whether the command that had it stand still was killed. */
  readonly holderDead: boolean;
}

/** What a run left that the next command with the container's lock has to clear away. */
export type Remnant = "none" | "stale" | "interrupted" | "ended" | "lost" | "held";

/** A container's records and what its last run left lying. */
export interface ObservedContainer extends ContainerView {
  readonly remnant: Remnant;
}

export interface DerivedStatus {
  readonly status: ContainerStatus;
  readonly remnant: Remnant;
}

/** `lockHeld`: some command holds the container's lock, so a start that is not finished is under way. */
export function deriveStatus(
  facts: StatusFacts,
  { lockHeld }: { lockHeld: boolean },
): DerivedStatus {
  const { state, exit } = facts;
  const atRest = exit === undefined ? "created" : "exited";
  if (state === undefined) {
    if (!facts.hasRunDirectory) return { status: atRest, remnant: "none" };
    if (lockHeld) return { status: "starting", remnant: "none" };
    return { status: atRest, remnant: "interrupted" };
  }
  if (state.bootId !== facts.bootId) return { status: atRest, remnant: "stale" };
  if (exit !== undefined) return { status: "exited", remnant: "ended" };
  if (!facts.supervisorAlive) return { status: "exited", remnant: "lost" };
  if (facts.holderDead) return { status: "running", remnant: "held" };
  return { status: state.status, remnant: "none" };
}
