/**
 * ROOT/ID/fast-path: what a container's short calls have to look at and to do, foreseen when it is created,
 * so that native/fast-path does them without this runtime's start. A case is a conjunction: where all of its
 * checks hold, its actions are done; where none of a call's cases fits, or an action meets what was not
 * foreseen, the call comes here as if there were no such file. So a case may be left out, but never be more
 * than what the command itself would do.
 *
 * The file is a sequence of words, each ended by a zero byte: a head, then cases of CASE COMMAND FLAGS,
 * checks, actions, END. Each check and action has its fixed number of operands.
 */
import { type CreatedRecord, EXEC_FIFO, RESULT_FIFO } from "./records.ts";
import { composeState } from "./state.ts";
import type { Status } from "./status.ts";
import { TRANSIENT_UNITS } from "./transient-units.ts";

/** Of another version: the file is as good as none. native/fast-path/cases.c. */
const HEAD = "tsrun-fast-path 1";

export type Check =
  /** random(4), boot_id. */
  | readonly ["boot" | "another-boot", bootId: string]
  /** A pid with its start time, proc_pid_stat(5). */
  | readonly ["alive" | "ended", pid: string, startTime: string]
  /** Absolute, or in the container's own directory. */
  | readonly ["exists" | "absent", path: string]
  /** cgroup.events of an absolute path; without the cgroup both hold. cgroup-v2.rst. */
  | readonly ["thawed" | "unpopulated", cgroup: string]
  | readonly ["frozen", cgroup: string]
  /** The operand behind the id. */
  | readonly ["signal-is", name: string]
  | readonly ["signal-is-a-number"]
  /** In the caller's environment; empty is as good as unset. */
  | readonly ["unset", name: string];

export type Action =
  | readonly ["print", text: string]
  | readonly ["write", path: string, text: string]
  | readonly ["await-frozen", cgroup: string]
  /** To the process that was just looked at; "given" is the number that the call has. */
  | readonly ["signal", pid: string, startTime: string, number: string]
  /** Lets the process that waits at the first FIFO go on, and learns from the second that it did. */
  | readonly ["release", execFifo: string, resultFifo: string]
  /** One that has nothing below it, or that is gone. */
  | readonly ["remove-cgroup", cgroup: string]
  /** The container's own directory, state.json last. */
  | readonly ["remove-records"];

export interface Case {
  readonly command: "state" | "start" | "pause" | "resume" | "kill" | "delete";
  /** As they are typed; in no other way. */
  readonly flags: "" | "--all" | "--force";
  readonly checks: readonly Check[];
  readonly actions: readonly Action[];
}

/** Before there is a process, nothing is foreseen. */
export function planFastPath(record: CreatedRecord): readonly Case[] {
  return [
    ...stateCases(record),
    ...startCases(record),
    ...freezerCases(record),
    ...killCases(record),
    ...deleteCases(record),
  ];
}

/** As readStatus finds it out. */
function checksOf(status: Exclude<Status, "creating" | "stopped">, record: CreatedRecord): Check[] {
  const { cgroup } = record;
  const waits: Check = [status === "created" ? "exists" : "absent", EXEC_FIFO];
  if (status === "paused") return [...lives(record), ["frozen", cgroup]];
  return [...lives(record), ["thawed", cgroup], waits];
}

function lives({ bootId, init }: CreatedRecord): Check[] {
  return [
    ["boot", bootId],
    ["alive", String(init.pid), init.startTime],
  ];
}

/** A process of another boot has ended with it, and its number may be somebody's. */
function stopped({ bootId, init }: CreatedRecord): Check[][] {
  return [
    [
      ["boot", bootId],
      ["ended", String(init.pid), init.startTime],
    ],
    [["another-boot", bootId]],
  ];
}

function stateCases(record: CreatedRecord): Case[] {
  const state = (status: Status, checks: Check[]): Case => ({
    ...{ command: "state", flags: "", checks },
    actions: [["print", JSON.stringify(composeState(record, status), undefined, 2)]],
  });
  return [
    state("running", checksOf("running", record)),
    state("created", checksOf("created", record)),
    state("paused", checksOf("paused", record)),
    ...stopped(record).map((checks) => state("stopped", checks)),
  ];
}

/** Hooks need their state, and a service's readiness its socket. */
function startCases(record: CreatedRecord): Case[] {
  const { hooks = {} } = record;
  if (hooks.startContainer?.length || hooks.poststart?.length) return [];
  return [
    {
      ...{ command: "start", flags: "" },
      checks: [...checksOf("created", record), ["unset", "NOTIFY_SOCKET"]],
      actions: [["release", EXEC_FIFO, RESULT_FIFO]],
    },
  ];
}

function freezerCases(record: CreatedRecord): Case[] {
  const { cgroup } = record;
  const freezer = `${cgroup}/cgroup.freeze`;
  return [
    {
      ...{ command: "pause", flags: "" },
      checks: [...lives(record), ["exists", freezer], ["thawed", cgroup]],
      actions: [
        ["write", freezer, "1"],
        ["await-frozen", cgroup],
      ],
    },
    {
      ...{ command: "resume", flags: "" },
      checks: checksOf("paused", record),
      actions: [["write", freezer, "0"]],
    },
  ];
}

/** What engines send by name; by number they send any. */
const NAMED_SIGNALS = [
  ["KILL", "9"],
  ["SIGKILL", "9"],
  ["TERM", "15"],
  ["SIGTERM", "15"],
] as const;

function killCases(record: CreatedRecord): Case[] {
  const { cgroup, init, bootId } = record;
  const signal = (check: Check, number: string): Case => ({
    ...{ command: "kill", flags: "", checks: [...lives(record), check] },
    actions: [["signal", String(init.pid), init.startTime, number]],
  });
  const killAll = (name: string): Case => ({
    ...{ command: "kill", flags: "--all" },
    checks: [
      ["boot", bootId],
      ["signal-is", name],
    ],
    actions: [["write", `${cgroup}/cgroup.kill`, "1"]],
  });
  return [
    signal(["signal-is-a-number"], "given"),
    ...NAMED_SIGNALS.map(([name, number]) => signal(["signal-is", name], number)),
    ...["9", "KILL", "SIGKILL"].map(killAll),
  ];
}

/** What the container made in its cgroup, and whoever is left in it, take more than this. */
function deleteCases(record: CreatedRecord): Case[] {
  const { cgroup, hooks, intelRdt } = record;
  if (hooks?.poststop?.length || intelRdt) return [];
  return (["", "--force"] as const).flatMap((flags) =>
    stopped(record).map((checks) => ({
      ...{ command: "delete" as const, flags },
      checks: [...checks, ...unitIsGone(record), ["unpopulated", cgroup] as const],
      actions: [["remove-cgroup", cgroup], ["remove-records"]] as const,
    })),
  );
}

/** As a rule it went with its last process. container-unit.ts. */
function unitIsGone({ unit }: CreatedRecord): Check[] {
  if (unit === undefined) return [];
  return [
    ["exists", TRANSIENT_UNITS],
    ["absent", `${TRANSIENT_UNITS}/${unit}`],
  ];
}

export function encodeFastPath(cases: readonly Case[]): Uint8Array {
  const words = cases.flatMap(({ command, flags, checks, actions }) => [
    ...["case", command, flags],
    ...checks.flat(),
    ...actions.flat(),
    "end",
  ]);
  return Buffer.from([HEAD, ...words, ""].join("\0"));
}
