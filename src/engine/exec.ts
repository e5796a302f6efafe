/**
 * Another process in a running container: its namespaces, cgroup, filter and limits, and a user,
 * environment and directory of its own choice.
 */
import { closeSync, fchownSync, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import { pidfdOpen, pidfdSendSignal, pipe2, socketpair } from "../ffi/index.ts";
import type { RelayPlan } from "../plan/index.ts";
import {
  compileSeccomp,
  type ExitStatus,
  type Launch,
  launch,
  planExec,
  readNamespaces,
  toHostId,
} from "../runtime/index.ts";
import type { OciProcess } from "../spec/index.ts";
import { type AttachStream, attachTo } from "./attach/index.ts";
import { processSecurity, withHome } from "./bundle/spec.ts";
import type { ResolvedUser } from "./bundle/user.ts";
import { viewContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { execCgroup } from "./exec-cgroup.ts";
import { exitOfAttachment } from "./exit.ts";
import { checkLifecycle } from "./lifecycle.ts";
import { runOf } from "./pause.ts";
import { containerSecurity, filterCache, readUser } from "./prepare.ts";
import type { ContainerConfig, ContainerView } from "./records.ts";
import { resolveContainer } from "./resolve.ts";
import { openProcess } from "./store/process-identity.ts";

export interface ExecRequest {
  readonly args: readonly string[];
  /** Added to the container's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The container's own user without it. */
  readonly user?: string;
  readonly workdir?: string;
  readonly tty?: boolean;
  /** stdin is open; without it the process reads the end of file at once. */
  readonly interactive?: boolean;
  /** Goes on by itself; nobody hears from it. */
  readonly detach?: boolean;
  readonly privileged?: boolean;
  readonly capAdd?: readonly string[];
  /** The terminal's size. */
  readonly rows?: number;
  readonly cols?: number;
}

export interface ExecOptions {
  /** What the process's stdio is: streams of the session (also with `tty`), ours, or descriptors. */
  readonly stdio?: "pipe" | "inherit" | { readonly fds: readonly [number, number, number] };
  /** Kills the process. */
  readonly signal?: AbortSignal;
}

export interface ExecSession {
  /** On the host. */
  readonly pid: number;
  /** With stdio "pipe". Both outputs must be read or `resume()`d; a terminal's output is all stdout. */
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  readonly stderr?: Readable;
  readonly resize: (size: { readonly rows: number; readonly cols: number }) => void;
  /** Leaves a process with a terminal: it outlives this program. Others share its stdio and do nothing. */
  readonly detach: () => Promise<void>;
  /** For a detached process code 0 at once. */
  readonly exit: Promise<ExitStatus>;
  readonly warnings: readonly string[];
}

/**
 * Throws WRONG_STATE for a container that does not run, COMMAND_NOT_FOUND and COMMAND_NOT_EXECUTABLE.
 */
export async function execInContainer(
  engine: Engine,
  ref: string,
  request: ExecRequest,
  options: ExecOptions = {},
): Promise<ExecSession> {
  const view = await viewContainer(engine, resolveContainer(engine, ref));
  const { config, status } = view;
  checkLifecycle("exec", status, config);
  await using undo = new UndoStack();
  const target = openTarget(view, undo);
  const user = readUser(
    [`/proc/${target.pid}/root`],
    request.user ?? config.process.user,
    request.user === undefined ? config.request.groupAdd : [],
  );
  const security = containerSecurity(config, user, request);
  const channel = openChannel(request, options, ownerOf(config, user), undo);
  const { arch, cacheDir } = filterCache(engine);
  const plan = planExec(composeProcess(config, request, { user, security }), {
    cgroupDir: target.cgroup,
    target: readNamespaces(target.pid),
    own: ownNamespaces(),
    ...(security.seccomp ? { seccomp: compileSeccomp(security.seccomp, arch, cacheDir) } : {}),
    daemon: request.detach ?? false,
    ...(channel.relay ? { relay: channel.relay } : {}),
  });
  const launched = launch(plan, {
    stdio: channel.stdio,
    inherit: [target.pidfd],
    title: `tsrun-exec ${config.name}`,
    ...(channel.clientFd === undefined ? {} : { clientFd: channel.clientFd }),
  });
  const pid = await launched.running;
  channel.keep();
  recordEvent(engine, config, "exec", { command: request.args.join(" ") });
  const exit = execExit(launched, channel.attachment, request.detach ?? false);
  killOnAbort(pid, exit, options.signal);
  return { ...channel.session, pid, exit, warnings: [...security.warnings, ...launched.warnings] };
}

interface ExecTarget {
  readonly pid: number;
  readonly pidfd: number;
  readonly cgroup: string;
}

function openTarget(view: ContainerView, undo: UndoStack): ExecTarget {
  const { cgroup, state } = runOf(view);
  const pidfd = state.init && openProcess(state.init);
  if (pidfd === undefined || !state.init) {
    throw new TsrunError("WRONG_STATE", `the container "${view.config.name}" has just ended`, {
      hint: `Start it with \`tsrun start ${view.config.name}\`.`,
    });
  }
  undo.defer(() => closeSync(pidfd));
  const { pid } = state.init;
  return { pid, pidfd, cgroup: execCgroup(cgroup, pid) };
}

/** They change for no thread of this program: whoever calls setns(2) leaves the library. */
let own: ReturnType<typeof readNamespaces> | undefined;

function ownNamespaces(): ReturnType<typeof readNamespaces> {
  own ??= readNamespaces("self");
  return own;
}

function composeProcess(
  config: ContainerConfig,
  request: ExecRequest,
  {
    user,
    security,
  }: { readonly user: ResolvedUser; readonly security: ReturnType<typeof containerSecurity> },
): OciProcess {
  if (request.args.length === 0 || request.args[0] === "") {
    throw new TsrunError("INVALID_ARGUMENT", "no command is given to execute", {
      hint: "Write it after the container's name, for example `sh`.",
    });
  }
  const { uid, gid, additionalGids, home } = user;
  const { rows, cols } = request;
  return {
    terminal: request.tty ?? false,
    ...(rows && cols ? { consoleSize: { height: rows, width: cols } } : {}),
    user: { uid, gid, additionalGids, umask: config.request.umask ?? 0o022 },
    args: request.args,
    env: withHome(execEnv(config, request), home),
    cwd: request.workdir ?? config.process.cwd,
    ...processSecurity(security),
    ...(config.request.oomScoreAdj === undefined
      ? {}
      : { oomScoreAdj: config.request.oomScoreAdj }),
  };
}

function execEnv(config: ContainerConfig, { env = {}, tty }: ExecRequest): string[] {
  const merged = new Map<string, string>(
    config.process.env.map((entry) => {
      const equals = entry.indexOf("=");
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
  if (tty && !merged.has("TERM")) merged.set("TERM", "xterm");
  for (const [name, value] of Object.entries(env)) merged.set(name, value);
  return [...merged].map(([name, value]) => `${name}=${value}`);
}

/** The process's user as the host counts, who must be able to reopen /dev/stdout. */
function ownerOf({ userns }: ContainerConfig, { uid, gid }: ResolvedUser) {
  return {
    uid: userns ? (toHostId(userns.uids, uid) ?? 0) : uid,
    gid: userns ? (toHostId(userns.gids, gid) ?? 0) : gid,
  };
}

/** The two ends of an exec's stdio: what the stage gets, and what the caller gets. */
interface Channel {
  readonly stdio: readonly [number, number, number];
  readonly clientFd?: number;
  readonly relay?: RelayPlan;
  readonly attachment?: AttachStream;
  readonly session: Pick<ExecSession, "stdin" | "stdout" | "stderr" | "resize" | "detach">;
  /** The process runs: the caller's ends stay open. */
  readonly keep: () => void;
}

/** Without a terminal there is no window, and nobody to leave. */
const NO_TERMINAL = { resize: (): void => {}, detach: (): Promise<void> => Promise.resolve() };

function openChannel(
  request: ExecRequest,
  { stdio = "pipe" }: ExecOptions,
  owner: { readonly uid: number; readonly gid: number },
  undo: UndoStack,
): Channel {
  const nothing = openSync("/dev/null", "r+");
  undo.defer(() => closeSync(nothing));
  const session = NO_TERMINAL;
  if (request.detach) return { stdio: [nothing, nothing, nothing], session, keep: () => {} };
  if (request.tty) return openTerminal(request, nothing, undo);
  const stdin = request.interactive ? undefined : nothing;
  if (stdio === "inherit") return { stdio: [stdin ?? 0, 1, 2], session, keep: () => {} };
  if (stdio === "pipe") return openPipes(stdin, owner, undo);
  const [first, second, third] = stdio.fds;
  return { stdio: [stdin ?? first, second, third], session, keep: () => {} };
}

function openTerminal(request: ExecRequest, nothing: number, undo: UndoStack): Channel {
  const [ours, theirs] = socketpair();
  undo.defer(() => closeSync(theirs));
  const attachment = attachTo(ours);
  let kept = false;
  undo.defer(() => {
    if (!kept) attachment.detach();
  });
  const { stdin, stdout, stderr, resize, leave } = attachment;
  return {
    stdio: [nothing, nothing, nothing],
    clientFd: theirs,
    relay: {
      tty: true,
      rows: request.rows ?? 0,
      cols: request.cols ?? 0,
      stdin: request.interactive ? "open" : "closed",
      firstClient: true,
      exitDrainMs: 100,
    },
    attachment,
    session: { stdin, stdout, stderr, resize, detach: leave },
    keep: () => {
      kept = true;
    },
  };
}

/** Pipes straight to the process: nothing of ours stands between. */
function openPipes(
  stdin: number | undefined,
  owner: { readonly uid: number; readonly gid: number },
  undo: UndoStack,
): Channel {
  const ends: Socket[] = [];
  let kept = false;
  undo.defer(() => {
    if (!kept) for (const end of ends) end.destroy();
  });
  const output = () => {
    const [read, write] = pipe2();
    undo.defer(() => closeSync(write));
    fchownSync(write, owner.uid, owner.gid);
    const socket = new Socket({ fd: read, readable: true, writable: false });
    ends.push(socket);
    return { theirs: write, socket };
  };
  const input = () => {
    const [read, write] = pipe2();
    undo.defer(() => closeSync(read));
    fchownSync(read, owner.uid, owner.gid);
    const socket = new Socket({ fd: write, readable: false, writable: true });
    // A process that does not read to the end is no error of the writer's.
    socket.on("error", () => socket.destroy());
    ends.push(socket);
    return { theirs: read, socket };
  };
  const [stdout, stderr] = [output(), output()];
  const written = stdin === undefined ? input() : undefined;
  return {
    stdio: [written?.theirs ?? stdin ?? -1, stdout.theirs, stderr.theirs],
    session: {
      ...(written ? { stdin: written.socket } : {}),
      stdout: stdout.socket,
      stderr: stderr.socket,
      ...NO_TERMINAL,
    },
    keep: () => {
      kept = true;
    },
  };
}

/** A terminal's last bytes come before its relay's exit frame; pipes end by themselves. */
async function execExit(
  launched: Launch,
  attachment: AttachStream | undefined,
  detached: boolean,
): Promise<ExitStatus> {
  if (detached) {
    launched.detach();
    return { kind: "exited", code: 0 };
  }
  const status = await launched.exited;
  if (!attachment) return status;
  return exitOfAttachment(await attachment.exit) ?? status;
}

function killOnAbort(
  pid: number,
  exit: Promise<ExitStatus>,
  signal: AbortSignal | undefined,
): void {
  if (!signal) return;
  const pidfd = openIfAlive(pid);
  if (pidfd === undefined) return;
  const kill = () => sendKill(pidfd);
  const finish = () => {
    signal.removeEventListener("abort", kill);
    closeSync(pidfd);
  };
  if (signal.aborted) kill();
  else signal.addEventListener("abort", kill, { once: true });
  exit.then(finish, finish);
}

/** The stage has not reaped it as long as its exit is not reported, so the pid is still its own. */
function openIfAlive(pid: number): number | undefined {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}

function sendKill(pidfd: number): void {
  try {
    pidfdSendSignal(pidfd, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error; // it ended first: that is what was wanted
  }
}
