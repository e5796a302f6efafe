/**
 * Creating a container: everything of it is there when this is done, and its first process waits for the
 * start, a child of the caller's nearest subreaper. If this process dies on the way, so does what it made:
 * the stage dies with it, and the container's process when it finds that out.
 */
import { closeSync, openSync } from "node:fs";
import { posix } from "node:path";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { TsrunError } from "../base/errors.ts";
import { readProcessIdentity } from "../base/process-identity.ts";
import { UndoStack } from "../base/undo.ts";
import { AT_FDCWD, makeNodeAt } from "../ffi/index.ts";
import type { Slot } from "../plan/index.ts";
import {
  closePrepared,
  type HandOver,
  type HostFacts,
  type Launch,
  launch,
  machineArch,
  planContainer,
  prepareLaunch,
  probeHost,
  readHierarchy,
} from "../runtime/index.ts";
import type { OciSpec } from "../spec/index.ts";
import { type Bundle, completeProcess, readBundle, resolveCgroupsPath } from "./bundle.ts";
import type { GlobalOptions } from "./command.ts";
import { type ConsoleChoice, openConsole } from "./console.ts";
import type { HeldUnit } from "./container-unit.ts";
import { type PassedDescriptors, passedDescriptors, stdioToOwn } from "./descriptors.ts";
import { processFailure } from "./failure.ts";
import { encodeFastPath, planFastPath } from "./fast-path.ts";
import { runHooks } from "./hooks.ts";
import { makeNotifyDirectory, withNotify } from "./notify.ts";
import type { Flags } from "./parse-arguments.ts";
import {
  type ContainerPaths,
  type ContainerRecord,
  checkId,
  containerPaths,
  makeContainerDirectory,
  type ProcessRecord,
  removeRecords,
  writeFastPath,
  writeProcessRecord,
  writeRecord,
} from "./records.ts";
import { filterCache } from "./seccomp-cache.ts";
import { composeState } from "./state.ts";
import { readBootId } from "./status.ts";

export interface CreateOptions {
  readonly bundle: string | undefined;
  readonly pidFile: string | undefined;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly preserveFds: string | undefined;
  /** A connected socket that gets the terminal's master. */
  readonly console: ConsoleChoice;
  /** Stay with the container: its process is our child's, and is held until `release`. */
  readonly foreground: boolean;
}

export interface CreatedContainer {
  readonly record: ContainerRecord;
  readonly spec: OciSpec;
  readonly launched: Launch;
}

/** The flags that create and run have in common. */
export function createOptions(flags: Flags, foreground: boolean): CreateOptions {
  return {
    bundle: flags.value("bundle"),
    pidFile: flags.value("pid-file"),
    noPivot: flags.flag("no-pivot"),
    noNewKeyring: flags.flag("no-new-keyring"),
    preserveFds: flags.value("preserve-fds"),
    console: { kind: "socket", path: flags.value("console-socket") },
    foreground,
  };
}

/** Throws what is wrong with the bundle, or what the kernel refused; then nothing is left. */
export async function createContainer(
  id: string,
  options: CreateOptions,
  globals: GlobalOptions,
): Promise<CreatedContainer> {
  const bundle = readBundle(options.bundle);
  for (const warning of bundle.warnings) globals.warn(warning);
  const passed = passedDescriptors(options.preserveFds);
  const completed = completeSpec(bundle, { id, passed, systemd: globals.systemdCgroup });
  const spec = withNotify(completed, containerPaths(globals.root, checkId(id)));
  await using undo = new UndoStack();
  // What the stage has copies of; of the FIFOs we must not stay a writer.
  using handed = new UndoStack();
  const consoleFd = openConsole(spec.process.terminal ?? false, options, handed);
  const paths = makeContainerDirectory(globals.root, id);
  undo.defer(() => removeRecords(globals.root, id));
  makeNotifyDirectory(paths);
  try {
    const created = await createIn(
      paths,
      { id, bundle, spec, options, passed, consoleFd, handed, undo },
      globals,
    );
    undo.keep();
    return created;
  } catch (error) {
    throw processFailure(error, spec.process);
  }
}

function completeSpec(
  { spec }: Bundle,
  how: { readonly id: string; readonly passed: PassedDescriptors; readonly systemd: boolean },
): OciSpec {
  const process = completeProcess(spec.process, spec.root.path);
  return {
    ...spec,
    process: { ...process, env: [...process.env, ...how.passed.env] },
    linux: how.systemd
      ? spec.linux
      : { ...spec.linux, cgroupsPath: resolveCgroupsPath(spec.linux.cgroupsPath, how.id) },
  };
}

interface Creation {
  readonly id: string;
  readonly bundle: Bundle;
  readonly spec: OciSpec;
  readonly options: CreateOptions;
  readonly passed: PassedDescriptors;
  readonly consoleFd: number | undefined;
  readonly handed: UndoStack;
  readonly undo: UndoStack;
}

async function createIn(
  paths: ContainerPaths,
  creation: Creation,
  globals: GlobalOptions,
): Promise<CreatedContainer> {
  const { id, options, undo } = creation;
  const unit = globals.systemdCgroup ? await holdUnit(paths, creation) : undefined;
  const spec = unit?.spec ?? creation.spec;
  const seen = probeHost(spec, id);
  const facts = unit ? heldFacts(seen) : seen;
  const { mountPoint, path } = facts.cgroup;
  const record = composeRecord(creation, `${mountPoint}${path}`, unit?.name);
  writeRecord(paths, record);
  writeProcessRecord(paths, {
    process: spec.process,
    noNewKeyring: options.noNewKeyring,
    ...(spec.linux.seccomp ? { seccomp: spec.linux.seccomp } : {}),
    ...inheritedByExec(spec),
  });
  const root = { kind: "bind", path: spec.root.path } as const;
  const prepared = await prepareLaunch(spec, root, {
    arch: machineArch(),
    cacheDir: filterCache(),
  });
  undo.defer(() => closePrepared(prepared));
  const { inherit, handOver } = handDescriptors(paths, creation, prepared.inherit);
  const plan = planContainer(
    spec,
    {
      ...{ id, bundle: creation.bundle.path, root, mountPoint: spec.root.path },
      ...{ prepared: { ...prepared, inherit }, handOver },
      ...{ hold: true, init: false, daemon: false },
    },
    facts,
  );
  const launched = launch(plan, { stdio: [0, 1, 2], inherit, title: "tsrun-oci: init" });
  undo.defer(() => abandon(launched));
  const init = await launched.created;
  const complete = { ...record, init: identify(init) };
  await unit?.settle();
  if (handOver.holdForHooks) await runCreationHooks(complete, launched);
  writeRecord(paths, complete);
  writeFastPath(paths, encodeFastPath(planFastPath(complete)));
  if (options.pidFile !== undefined) writePidFile(options.pidFile, init);
  for (const warning of launched.warnings) globals.warn(warning);
  if (!options.foreground) {
    launched.release();
    await launched.waiting;
    // Only then is the process another's child.
    await launched.ended;
  }
  closePrepared(prepared);
  await unit?.close();
  return { record: complete, spec, launched };
}

/** The scope or slice that the container is to be in. Its record is there first: whoever finds it can stop it. */
async function holdUnit(paths: ContainerPaths, creation: Creation): Promise<HeldUnit> {
  const { id, spec, undo } = creation;
  const { planUnit, startUnit } = await import("./container-unit.ts");
  const unit = planUnit(spec, id);
  const { mountPoint } = readHierarchy();
  writeRecord(paths, composeRecord(creation, `${mountPoint}${unit.cgroupsPath}`, unit.name));
  return startUnit(unit, { id, spec, undo });
}

function heldFacts(facts: HostFacts): HostFacts {
  return { ...facts, cgroup: { ...facts.cgroup, held: true } };
}

function composeRecord(
  { id, bundle, spec }: Creation,
  cgroup: string,
  unit?: string,
): ContainerRecord {
  return {
    ...{ version: 1, id, bootId: readBootId(), bundle: bundle.path, rootfs: spec.root.path },
    created: new Date().toISOString(),
    ...(spec.annotations ? { annotations: spec.annotations } : {}),
    cgroup,
    ...(unit === undefined ? {} : { unit }),
    ownPidNamespace: spec.linux.namespaces.some(
      ({ type, path }) => type === "pid" && path === undefined,
    ),
    creator: identify(process.pid),
    ...(spec.hooks ? { hooks: spec.hooks } : {}),
    ...(spec.linux.intelRdt ? { intelRdt: spec.linux.intelRdt } : {}),
  };
}

function inheritedByExec({ linux }: OciSpec): Pick<ProcessRecord, "linux" | "sharesMounts"> {
  const { personality, memoryPolicy, namespaces } = linux;
  return {
    linux: { ...(personality ? { personality } : {}), ...(memoryPolicy ? { memoryPolicy } : {}) },
    sharesMounts: !namespaces.some(({ type, path }) => type === "mount" && path === undefined),
  };
}

function identify(pid: number): NonNullable<ContainerRecord["init"]> {
  const identity = readProcessIdentity(pid);
  if (identity) return identity;
  throw new TsrunError("LAUNCH_FAILED", `the process ${pid} ended while it was being created`, {
    hint: "Something killed it: see the kernel's log for the OOM killer.",
  });
}

const S_IFIFO = 0o010000;

/** What the stage gets after the descriptors that were prepared, and which slots they become. */
function handDescriptors(
  paths: ContainerPaths,
  { spec, options, passed, consoleFd, handed }: Creation,
  prepared: readonly number[],
): { readonly inherit: readonly number[]; readonly handOver: HandOver } {
  const inherit = [...prepared];
  const hand = (fd: number) => (inherit.push(fd) - 1) as Slot;
  const fifo = (path: string) => {
    makeNodeAt(AT_FDCWD, path, { mode: S_IFIFO | 0o600 });
    // For both ways: the process that waits is never at an end of file, and never without a reader.
    const fd = openSync(path, "r+");
    handed.defer(() => closeSync(fd));
    return hand(fd);
  };
  const { hooks = {} } = spec;
  const awaitStart = options.foreground
    ? undefined
    : { start: fifo(paths.execFifo), result: fifo(paths.resultFifo) };
  const consoleSlot = consoleFd === undefined ? undefined : hand(consoleFd);
  const first = inherit.length as Slot;
  for (const fd of passed.fds) hand(fd);
  return {
    inherit,
    handOver: {
      ...(awaitStart ? { awaitStart } : {}),
      ...(consoleSlot === undefined ? {} : { consoleSlot }),
      ...(passed.fds.length > 0 ? { keepFds: { first, count: passed.fds.length } } : {}),
      ownStdio: spec.process.terminal ? [] : stdioToOwn(spec.process.user.uid),
      holdForHooks: CREATION_HOOKS.some((name) => (hooks[name] ?? []).length > 0),
      noPivot: options.noPivot,
      noNewKeyring: options.noNewKeyring,
    },
  };
}

const CREATION_HOOKS = ["prestart", "createRuntime", "createContainer"] as const;

/** The namespaces are there, everything is mounted, and the root is not entered yet. */
async function runCreationHooks(record: ContainerRecord, launched: Launch): Promise<void> {
  const { hooks = {}, init, cgroup } = record;
  const state = composeState(record, "creating");
  const next = launched.nextHold();
  await runHooks("prestart", hooks.prestart, state);
  await runHooks("createRuntime", hooks.createRuntime, state);
  if (init) {
    const seen = record.ownPidNamespace ? { ...state, pid: 1 } : state;
    const place = { kind: "container", pid: init.pid, cgroup } as const;
    await runHooks("createContainer", hooks.createContainer, seen, place);
  }
  launched.release();
  await next;
}

/** What is held is undone by the stage, which ends then. */
async function abandon(launched: Launch): Promise<void> {
  launched.detach();
  try {
    await launched.ended;
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error; // it failed: that is why we are here
  }
}

function writePidFile(path: string, pid: number): void {
  try {
    writeFileAtomic(posix.resolve(path), String(pid));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new TsrunError("SYSTEM", `cannot write the pid file "${path}": ${reason}`, { cause });
  }
}
