/**
 * Hooks, in the order of the specification: each gets the container's state on stdin and is waited for.
 * OCI config.md, "POSIX-platform Hooks".
 */
import { closeSync, openSync, readSync } from "node:fs";
import { Socket } from "node:net";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import {
  type ChildEnd,
  createSealedMemfd,
  pidfdOpen,
  pidfdSendSignal,
  pipe2,
  spawnStage,
  waitChild,
} from "../ffi/index.ts";
import { launch, planExec, readNamespaces } from "../runtime/index.ts";
import type { OciHook, OciHookName } from "../spec/index.ts";
import type { ContainerState } from "./state.ts";

/** In whose namespaces: the runtime's, or those of the container's first process. */
export type HookPlace =
  | { readonly kind: "runtime" }
  | { readonly kind: "container"; readonly pid: number; readonly cgroup: string };

const RUNTIME: HookPlace = { kind: "runtime" };

/** Throws LAUNCH_FAILED for the first that fails; those after it are not run. */
export async function runHooks(
  name: OciHookName,
  hooks: readonly OciHook[] | undefined,
  state: ContainerState,
  place: HookPlace = RUNTIME,
): Promise<void> {
  for (const [index, hook] of (hooks ?? []).entries()) {
    const failure = await runHook(hook, state, place);
    if (failure === undefined) continue;
    throw new TsrunError("LAUNCH_FAILED", `error running ${name} hook #${index}: ${failure}`, {
      origin: `hooks.${name}[${index}]`,
    });
  }
}

/** For those after the fact: a failure is told, and the others follow. */
export async function runHooksBestEffort(
  name: OciHookName,
  hooks: readonly OciHook[] | undefined,
  state: ContainerState,
  warn: (sentence: string) => void,
): Promise<void> {
  for (const [index, hook] of (hooks ?? []).entries()) {
    const failure = await runHook(hook, state, RUNTIME);
    if (failure !== undefined) warn(`error running ${name} hook #${index}: ${failure}`);
  }
}

const MAX_OUTPUT = 64 * 1024;

/** What went wrong, or undefined. */
async function runHook(
  hook: OciHook,
  state: ContainerState,
  place: HookPlace,
): Promise<string | undefined> {
  await using undo = new UndoStack();
  const stdin = openInput(JSON.stringify(state), undo);
  const out = capture(undo);
  const err = capture(undo);
  const stdio = [stdin, out.write, err.write] as const;
  const timeout = hook.timeout === undefined ? undefined : hook.timeout * 1000;
  let end: string | undefined;
  try {
    const start = place.kind === "runtime" ? startHere : startInContainer;
    end = await start(hook, { stdio, timeout, place, undo });
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error;
    end = error.message;
  }
  if (end === undefined) return undefined;
  return `${end}, stdout: ${out.text()}, stderr: ${err.text()}`;
}

interface HookStart {
  readonly stdio: readonly [number, number, number];
  readonly timeout: number | undefined;
  readonly place: HookPlace;
  readonly undo: UndoStack;
}

async function startHere(
  { path, args, env = [] }: OciHook,
  { stdio, timeout, undo }: HookStart,
): Promise<string | undefined> {
  const pid = spawnStage({ stage: path, argv: args?.length ? args : [path], env, fds: stdio });
  const pidfd = pidfdOpen(pid);
  undo.defer(() => closeSync(pidfd));
  const ended = waitChild(pidfd);
  return outcome(await withTimeout(ended, timeout, () => pidfdSendSignal(pidfd, "SIGKILL")));
}

/** Its path is looked up in the container's mount namespace, which before pivot_root is the host's copy. */
async function startInContainer(
  { path, args, env = [] }: OciHook,
  { stdio, timeout, place }: HookStart,
): Promise<string | undefined> {
  if (place.kind === "runtime") throw new Error("a hook of the container needs its process");
  const pidfd = pidfdOpen(place.pid);
  try {
    const argv = args?.length ? args : [path];
    const plan = planExec(
      { args: argv, env, cwd: "/", user: { uid: 0, gid: 0 } },
      {
        cgroupDir: place.cgroup,
        target: readNamespaces(place.pid),
        own: readNamespaces("self"),
        daemon: false,
        handOver: { ownStdio: [] },
        program: path,
      },
    );
    const launched = launch(plan, { stdio, inherit: [pidfd], title: "tsrun-oci: hook" });
    const pid = await launched.running;
    const kill = () => killProcess(pid);
    const status = await withTimeout(launched.exited, timeout, kill);
    return outcome(status);
  } finally {
    closeSync(pidfd);
  }
}

/** It is our stage's child, which has not collected it as long as its exit is not reported. */
function killProcess(pid: number): void {
  process.kill(pid, "SIGKILL");
}

type Ended =
  | Pick<ChildEnd & { kind: "exited" }, "kind" | "code">
  | { kind: "killed"; signal: number };

function outcome(end: Ended | "timeout"): string | undefined {
  if (end === "timeout") return "hook ran past its timeout";
  if (end.kind === "killed") return `signal: ${end.signal}`;
  return end.code === 0 ? undefined : `exit status ${end.code}`;
}

/** The end is still waited for: nothing of a hook outlives it. */
async function withTimeout<T>(
  ended: Promise<T>,
  timeoutMs: number | undefined,
  kill: () => void,
): Promise<T | "timeout"> {
  if (timeoutMs === undefined) return ended;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, timeoutMs);
  try {
    const end = await ended;
    return late ? "timeout" : end;
  } finally {
    clearTimeout(timer);
  }
}

/** A file that holds the text, read from its beginning: nothing has to be written while the hook reads. */
function openInput(text: string, undo: UndoStack): number {
  const file = createSealedMemfd("state", Buffer.from(text));
  undo.defer(() => closeSync(file));
  const fd = openSync(`/proc/self/fd/${file}`, "r");
  undo.defer(() => closeSync(fd));
  return fd;
}

/** The beginning of what a hook says; all of it is read, so that it never waits for us. */
function capture(undo: UndoStack): { readonly write: number; readonly text: () => string } {
  const [read, write] = pipe2();
  undo.defer(() => closeSync(write));
  const chunks: Buffer[] = [];
  let size = 0;
  const socket = new Socket({ fd: read, readable: true, writable: false });
  undo.defer(() => {
    socket.destroy();
  });
  const keep = (chunk: Buffer) => {
    if (size < MAX_OUTPUT) chunks.push(chunk);
    size += chunk.length;
  };
  socket.on("data", keep);
  const text = () => {
    drain(read, keep);
    return Buffer.concat(chunks).toString().slice(0, MAX_OUTPUT);
  };
  return { write, text };
}

/**
 * What is still in the pipe when the hook has ended: the event loop may not have come to it. Its end
 * cannot be waited for, since a process that the hook left behind may hold it open.
 */
function drain(fd: number, keep: (chunk: Buffer) => void): void {
  const buffer = Buffer.alloc(MAX_OUTPUT);
  for (let left = MAX_OUTPUT; left > 0; ) {
    const bytes = readNow(fd, buffer);
    if (bytes === 0) return;
    keep(Buffer.from(buffer.subarray(0, bytes)));
    left -= bytes;
  }
}

/** 0 at the end of file, and where nothing is there yet. */
function readNow(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if (hasErrno(error, "EAGAIN")) return 0;
    throw error;
  }
}
