/**
 * sd_notify(3) out of a container: who calls us with NOTIFY_SOCKET is told when the program says that it is
 * ready. The container gets a socket of ours, for the caller's is the host's, and takes a message only
 * from a process that it knows.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type { ProcessIdentity } from "../base/process-identity.ts";
import { UndoStack } from "../base/undo.ts";
import {
  bindDatagram,
  connectDatagram,
  O_PATH,
  pipe2,
  receiveFds,
  sendFds,
  waitReadable,
} from "../ffi/index.ts";
import { waitForEnd } from "../runtime/index.ts";
import type { OciSpec } from "../spec/index.ts";
import type { ContainerPaths } from "./records.ts";

const SOCKET = "notify.sock";
const IN_CONTAINER = "/run/notify";

/** Who called us. */
function wantsNotice(): boolean {
  return Boolean(process.env["NOTIFY_SOCKET"]);
}

/** The container sees the directory, so that the socket may be made when it is started. */
export function withNotify(spec: OciSpec, { notifyDir }: ContainerPaths): OciSpec {
  if (!wantsNotice()) return spec;
  const env = spec.process.env.filter((entry) => !entry.startsWith("NOTIFY_SOCKET="));
  const mount = {
    destination: IN_CONTAINER,
    source: notifyDir,
    options: ["bind", "nosuid", "noexec", "nodev", "ro"],
  };
  return {
    ...spec,
    mounts: [...spec.mounts, mount],
    process: { ...spec.process, env: [...env, `NOTIFY_SOCKET=${IN_CONTAINER}/${SOCKET}`] },
  };
}

export function makeNotifyDirectory({ notifyDir }: ContainerPaths): void {
  if (wantsNotice()) mkdirSync(notifyDir, { mode: 0o755 });
}

export interface Notices extends Disposable {
  /**
   * Passes READY=1 on; then, with `main`, that this process is the service's now. Resolves when that is
   * done, or the process has ended, or the signal fires.
   */
  readonly passReady: (options: {
    readonly main?: ProcessIdentity;
    readonly signal?: AbortSignal;
  }) => Promise<void>;
}

/**
 * Listens for what the program is going to say. Undefined where nobody wants to know, now or when it was
 * created. Throws NOT_FOUND for a caller's socket that is not there.
 */
export function openNotices({ notifyDir }: ContainerPaths): Notices | undefined {
  if (!wantsNotice() || !existsSync(notifyDir)) return undefined;
  using undo = new UndoStack();
  const host = connectHost(process.env["NOTIFY_SOCKET"] ?? "");
  undo.defer(() => closeSync(host));
  const container = listen(notifyDir);
  undo.defer(() => closeSync(container));
  undo.keep();
  return {
    passReady: async ({ main, signal }) => {
      if (!(await sayReady(container, main, signal))) return;
      tell(host, "READY=1");
      if (!main) return;
      tell(host, `MAINPID=${main.pid}`);
      await barrier(host);
    },
    [Symbol.dispose]: () => {
      closeSync(container);
      closeSync(host);
    },
  };
}

function connectHost(path: string): number {
  try {
    return connectDatagram(path);
  } catch (cause) {
    if (!hasErrno(cause, "ENOENT", "ECONNREFUSED", "ENAMETOOLONG", "EACCES")) throw cause;
    throw new TsrunError("NOT_FOUND", `cannot use NOTIFY_SOCKET="${path}"`, { cause });
  }
}

/** By the directory's descriptor: a container's path may be longer than a socket's name. unix(7). */
function listen(directory: string): number {
  const fd = openSync(directory, O_PATH);
  try {
    const path = `/proc/self/fd/${fd}/${SOCKET}`;
    rmSync(path, { force: true }); // of a start that failed
    const socket = bindDatagram(path);
    chmodSync(path, 0o777);
    return socket;
  } finally {
    closeSync(fd);
  }
}

/** False if the container has ended without it, or the signal fired before it. */
async function sayReady(
  socket: number,
  main: ProcessIdentity | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const done = new AbortController();
  const until = signal ? AbortSignal.any([signal, done.signal]) : done.signal;
  const ended = main ? waitForEnd(main, until).then(() => done.abort()) : undefined;
  ended?.catch(ignoreAbort);
  try {
    while (!until.aborted) {
      await waitReadable(socket, until);
      if (hasSaidReady(socket)) return true;
    }
  } catch (error) {
    ignoreAbort(error);
  } finally {
    done.abort();
  }
  return hasSaidReady(socket); // its last words
}

/** Reads all that is there. */
function hasSaidReady(socket: number): boolean {
  for (;;) {
    const message = receiveFds(socket, { maxFds: MOST_FDS });
    if (!message) return false;
    for (const fd of message.fds) closeSync(fd);
    if (Buffer.from(message.data).toString().split("\n").includes("READY=1")) return true;
  }
}

/** The kernel's SCM_MAX_FD. */
const MOST_FDS = 253;

function ignoreAbort(error: unknown): void {
  if (!(error instanceof TsrunError && error.code === "ABORTED")) throw error;
}

function tell(socket: number, line: string): void {
  sendFds(socket, Buffer.from(`${line}\n`), []);
}

const BARRIER_MS = 30_000;

/**
 * Until systemd has read what was sent: it looks up the sender's process then, which must still be there.
 * It says so by closing the descriptor. sd_notify_barrier(3).
 */
async function barrier(socket: number): Promise<void> {
  const [read, write] = pipe2();
  try {
    sendFds(socket, Buffer.from("BARRIER=1"), [write]);
  } finally {
    closeSync(write);
  }
  try {
    await waitReadable(read, AbortSignal.timeout(BARRIER_MS));
  } catch (error) {
    ignoreAbort(error); // not a systemd that knows of barriers
  } finally {
    closeSync(read);
  }
}
