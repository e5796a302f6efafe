/**
 * From { op index, errno } to a sentence: what could not be done, which field asked for it, and what
 * the user can do.
 */
import { type ErrorCode, TsrunError } from "../base/errors.ts";
import { errnoMeaning, errnoName } from "../ffi/index.ts";
import { cloneFailureHint } from "../namespaces/index.ts";
import {
  describeOp,
  type LaunchPlan,
  type PlannedOp,
  type StageReport,
  slotNamesAt,
} from "../plan/index.ts";

/** The error that a "failed" report stands for. */
export function launchError(plan: LaunchPlan, { opIndex, error }: StageReport): TsrunError {
  const errno = errnoName(error);
  const planned = opIndex === undefined ? undefined : plan.ops[opIndex];
  if (!planned) {
    return new TsrunError("LAUNCH_FAILED", `cannot start the process: ${reason(error)}`, {
      errno,
      hint:
        cloneFailureHint(errno, plan.cloneFlags) ??
        CLONE_HINTS[errno] ??
        "See the kernel's log for the reason.",
    });
  }
  if (planned.op.kind === "exec" || planned.op.kind === "findExec") {
    return execError(programOf(plan), error);
  }
  const hint = planned.hint ?? HINTS[errno];
  const what = describeOp(planned.op, slotNamesAt(plan, opIndex ?? 0));
  return new TsrunError("LAUNCH_FAILED", `cannot ${what} (${planned.origin}): ${reason(error)}`, {
    errno,
    origin: planned.origin,
    ...(hint === undefined ? {} : { hint }),
  });
}

function programOf({ ops }: LaunchPlan): string {
  const exec = ops.findLast(({ op }) => op.kind === "exec")?.op;
  return exec?.kind === "exec" ? (exec.lists.argv[0] ?? "") : "";
}

/** The sentence for a "warned" report. */
export function warningText(plan: LaunchPlan, { opIndex, error }: StageReport): string {
  const planned: PlannedOp | undefined = opIndex === undefined ? undefined : plan.ops[opIndex];
  return `${planned?.warning ?? "a request was refused"} (${planned?.origin ?? "launch"}: ${errnoName(error)})`;
}

const NOT_FOUND = new Set(["ENOENT", "ENOTDIR"]);
const NOT_EXECUTABLE = new Set(["EACCES", "ENOEXEC", "EPERM", "EISDIR", "ELIBBAD"]);

/** execve(2) failed. Engines and scripts match these phrases ("no such file or directory", "permission denied"). */
export function execError(command: string, error: number): TsrunError {
  const errno = errnoName(error);
  let code: ErrorCode = "LAUNCH_FAILED";
  let hint = HINTS[errno] ?? "See execve(2) for this error.";
  if (NOT_FOUND.has(errno)) {
    code = "COMMAND_NOT_FOUND";
    hint = command.includes("/")
      ? "The path, its interpreter (#!) or its dynamic loader is not in the container's root."
      : "It is in no directory of the container's PATH.";
  } else if (NOT_EXECUTABLE.has(errno)) {
    code = "COMMAND_NOT_EXECUTABLE";
    hint =
      errno === "EPERM"
        ? "The file has capabilities (getcap) that the container may not have: see --cap-add."
        : "Check its mode, its file system's noexec option, and that it is made for this machine.";
  }
  return new TsrunError(code, `cannot execute "${command}": ${reason(error)}`, {
    errno,
    origin: "process.args",
    hint,
  });
}

function reason(error: number): string {
  return `${errnoMeaning(error).toLowerCase()} (${errnoName(error)})`;
}

const HINTS: Readonly<Record<string, string>> = {
  EPERM: "This user, or this user namespace, is not allowed to do that.",
  EACCES: "Check the permissions of every directory of the path.",
  ENOENT: "The path does not exist.",
  ENOSPC: "A file system is full, or a limit of the kernel (namespaces, inotify) is reached.",
  ENODEV: "The kernel does not know this file system type; its module may be missing.",
  ENOMEM: "The machine or the container's memory limit has no memory left.",
};

const CLONE_HINTS: Readonly<Record<string, string>> = {
  EAGAIN: "The limit of processes is reached (ulimit -u, or a pids limit of a parent cgroup).",
  EBUSY: "The container's cgroup has delegated controllers and cannot hold processes itself.",
};
