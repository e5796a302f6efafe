/** Letting a created container's process go on, and learning whether its program was executed. */
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno } from "../base/errors.ts";
import type { GlobalOptions } from "./command.ts";
import { checkLifecycle } from "./lifecycle.ts";
import { type ContainerRecord, containerPaths } from "./records.ts";
import type { ExecFailure } from "./start-failure.ts";
import { composeState } from "./state.ts";
import { readStatus } from "./status.ts";

/** Throws WRONG_STATE, or what became of the program. */
export async function startContainer(
  record: ContainerRecord,
  globals: GlobalOptions,
): Promise<void> {
  const { root } = globals;
  checkLifecycle("start", readStatus(root, record));
  await runStartContainerHooks(record);
  const paths = containerPaths(root, record.id);
  using notices = process.env["NOTIFY_SOCKET"]
    ? (await import("./notify.ts")).openNotices(paths)
    : undefined;
  const result = openFifo(paths.resultFifo, constants.O_RDONLY);
  try {
    const start = openFifo(paths.execFifo, constants.O_WRONLY);
    try {
      take(paths.execFifo);
      writeSync(start, "G");
    } finally {
      closeSync(start);
    }
    await awaitExec(result, record, globals);
  } finally {
    closeSync(result);
  }
  await runPoststartHooks(record, globals);
  if (record.init) await notices?.passReady({ main: record.init });
}

/**
 * Throws why the program was not executed. `result` is the reading end of the result's FIFO of a process
 * that goes on. native/fast-path comes here alone, when it finds that something is to be read there.
 */
export async function awaitExec(
  result: number,
  record: ContainerRecord,
  { root }: GlobalOptions,
): Promise<void> {
  const failure = await readResult(result);
  if (!failure) return;
  const { startFailure } = await import("./start-failure.ts");
  throw startFailure(root, record, failure);
}

async function runPoststartHooks(record: ContainerRecord, globals: GlobalOptions): Promise<void> {
  if (!record.hooks?.poststart?.length) return;
  const { runHooksBestEffort } = await import("./hooks.ts");
  const state = composeState(record, "running");
  await runHooksBestEffort("poststart", record.hooks.poststart, state, globals.warn);
}

/** The process waits meanwhile, in the namespaces and the root that the hooks are to see. */
async function runStartContainerHooks(record: ContainerRecord): Promise<void> {
  const { hooks, init, cgroup, ownPidNamespace } = record;
  if (!hooks?.startContainer?.length || !init) return;
  const { runHooks } = await import("./hooks.ts");
  const state = composeState(record, "created");
  const seen = ownPidNamespace ? { ...state, pid: 1 } : state;
  const place = { kind: "container", pid: init.pid, cgroup } as const;
  try {
    await runHooks("startContainer", hooks.startContainer, seen, place);
  } catch (error) {
    process.kill(init.pid, "SIGKILL");
    throw error;
  }
}

/** The waiting process has both ends; ENXIO is that it ended. */
function openFifo(path: string, access: number): number {
  try {
    return openSync(path, access | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENXIO")) checkLifecycle("start", "stopped");
    if (hasErrno(error, "ENOENT")) checkLifecycle("start", "running");
    throw error;
  }
}

/** Of two that start it at the same time, only one removes the file. */
function take(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) checkLifecycle("start", "running");
    throw error;
  }
}

const LONGEST_PAUSE_MS = 10;

/** The end of file says that the descriptor is closed: by the exec, or by the process's end. */
async function readResult(fd: number): Promise<ExecFailure | undefined> {
  const report = new DataView(new ArrayBuffer(24));
  for (let pauseMs = 0.5; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      const size = readSync(fd, new Uint8Array(report.buffer));
      if (size === 0) return undefined;
      return { error: report.getInt32(8, true), opKind: report.getInt32(12, true) };
    } catch (error) {
      if (!hasErrno(error, "EAGAIN")) throw error;
    }
    await sleep(pauseMs);
  }
}
