/**
 * Starting tsrun-stage: posix_spawn(3), which is vfork underneath. `child_process.spawn` costs 1.7 ms
 * (pipes, a ChildProcess, a fork-sized copy of page tables); this costs a fifth of it.
 */
import { closeSync, readlinkSync } from "node:fs";
import { KernelError } from "./kernel-error.ts";
import { cString, libcFunction, syscall, withAddresses } from "./libc.ts";

export interface SpawnRequest {
  /** The program: a path, or a descriptor from openStageMemfd. */
  readonly stage: number | string;
  /** argv, argv[0] included. */
  readonly argv: readonly string[];
  /** Descriptor i of the child is a duplicate of fds[i]; the child has no others. */
  readonly fds: readonly number[];
  /** "NAME=value" entries; none by default. */
  readonly env?: readonly string[];
  /** Start a session of its own, so that the terminal's signals do not reach it. */
  readonly setsid?: boolean;
}

/**
 * Starts the program and returns its pid once it has been executed. The child begins with no signal
 * blocked or ignored (Node ignores SIGPIPE, and a plan relies on default actions). It is not libuv's
 * child: whoever spawns it reaps it with waitid.
 * Throws KernelError, whose subject is the program.
 * posix_spawn(3), posix_spawn_file_actions_adddup2(3).
 */
export function spawnStage(request: SpawnRequest): number {
  const { stage, argv, fds, env = [], setsid = false } = request;
  const path = typeof stage === "string" ? stage : `/proc/${procSelf()}/fd/${stage}`;
  const sources = liftSources(fds);
  const actions = initFileActions();
  try {
    for (const [target, source] of sources.fds.entries()) addDup2(actions, source, target);
    addCloseFrom(actions, fds.length);
    return spawn(path, actions, spawnAttributes(setsid), argv, env);
  } finally {
    native("posix_spawn_file_actions_destroy", ["void *"], actions);
    for (const fd of sources.lifted) closeSync(fd);
  }
}

/**
 * Our pid as this /proc counts it, which is not getpid(2)'s number if /proc belongs to another pid
 * namespace. "/proc/self" itself would do for a path, but by then the child has closed the memfd.
 */
function procSelf(): string {
  procSelfLink ??= readlinkSync("/proc/self");
  return procSelfLink;
}

let procSelfLink: string | undefined;

const F_DUPFD_CLOEXEC = 1030;

/**
 * A source whose number is also a target would be overwritten before it is used, so it is first
 * duplicated to a number above all targets. (A source that is its own target stays: adddup2 then
 * clears its close-on-exec flag.)
 */
function liftSources(fds: readonly number[]): { fds: readonly number[]; lifted: number[] } {
  const lifted: number[] = [];
  try {
    const sources = fds.map((fd, target) => {
      if (fd >= fds.length || fd === target) return fd;
      const copy = syscall("fcntl", fd, fd, F_DUPFD_CLOEXEC, fds.length);
      lifted.push(copy);
      return copy;
    });
    return { fds: sources, lifted };
  } catch (error) {
    for (const fd of lifted) closeSync(fd);
    throw error;
  }
}

// posix_spawn_file_actions_t is 80 bytes with glibc and musl, posix_spawnattr_t 336, sigset_t 128.
const FILE_ACTIONS_SIZE = 128;
const ATTRIBUTES_SIZE = 512;
const SIGSET_SIZE = 128;

function initFileActions(): Uint8Array {
  const actions = new Uint8Array(FILE_ACTIONS_SIZE);
  native("posix_spawn_file_actions_init", ["void *"], actions);
  return actions;
}

function addDup2(actions: Uint8Array, source: number, target: number): void {
  const parameters = ["void *", "int", "int"];
  native("posix_spawn_file_actions_adddup2", parameters, actions, source, target);
}

/** musl has no such action: there the child keeps what is not close-on-exec, until the stage closes it. */
let closeFromMissing = false;

function addCloseFrom(actions: Uint8Array, first: number): void {
  if (closeFromMissing) return;
  const name = "posix_spawn_file_actions_addclosefrom_np";
  try {
    libcFunction(name, "int", ["void *", "int"]);
  } catch {
    // koffi found no such symbol.
    closeFromMissing = true;
    return;
  }
  native(name, ["void *", "int"], actions, first);
}

const POSIX_SPAWN_SETSIGDEF = 0x4;
const POSIX_SPAWN_SETSIGMASK = 0x8;
const POSIX_SPAWN_SETSID = 0x80;

const attributes = new Map<boolean, Uint8Array>();

/** Made once and kept: they never differ but by the session. */
function spawnAttributes(setsid: boolean): Uint8Array {
  let bytes = attributes.get(setsid);
  if (!bytes) {
    bytes = new Uint8Array(ATTRIBUTES_SIZE);
    const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    native("posix_spawnattr_init", ["void *"], bytes);
    native("posix_spawnattr_setsigmask", ["void *", "void *"], bytes, new Uint8Array(SIGSET_SIZE));
    native("posix_spawnattr_setsigdefault", ["void *", "void *"], bytes, allSignals());
    native(
      "posix_spawnattr_setflags",
      ["void *", "short"],
      bytes,
      setsid ? flags | POSIX_SPAWN_SETSID : flags,
    );
    attributes.set(setsid, bytes);
  }
  return bytes;
}

function allSignals(): Uint8Array {
  // Signal n is bit n-1. The C library knows that SIGKILL and SIGSTOP cannot be set.
  return new Uint8Array(SIGSET_SIZE).fill(0xff, 0, 8);
}

function spawn(
  path: string,
  actions: Uint8Array,
  attr: Uint8Array,
  argv: readonly string[],
  env: readonly string[],
): number {
  const pid = new Int32Array(1);
  const strings = [...argv, ...env].map(cString);
  withAddresses(strings, (addresses) => {
    const argvPointers = BigUint64Array.from([...addresses.slice(0, argv.length), 0n]);
    const envPointers = BigUint64Array.from([...addresses.slice(argv.length), 0n]);
    const spawnFunction = libcFunction("posix_spawn", "int", new Array(6).fill("void *"));
    const errno = spawnFunction(pid, cString(path), actions, attr, argvPointers, envPointers);
    if (errno !== 0) throw new KernelError("posix_spawn", Number(errno), argv[0] ?? path);
  });
  return pid[0] ?? -1;
}

/** The posix_spawn family returns its errno instead of setting it. */
function native(name: string, parameters: readonly string[], ...args: readonly unknown[]): void {
  const errno = Number(libcFunction(name, "int", parameters)(...args));
  if (errno !== 0) throw new KernelError(name, errno, "");
}
