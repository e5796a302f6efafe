/** Another process in a container: its namespaces, cgroup and filter, and what the caller asks for. */
import { closeSync, existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { TsrunError } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import type { LaunchPlan, Slot } from "../plan/index.ts";
import {
  type CompiledSeccomp,
  compileSeccomp,
  type ExecLaunch,
  type Launch,
  launch,
  machineArch,
  openProcess,
  planExec,
  planListener,
  readCapabilityFacts,
  readNamespaces,
} from "../runtime/index.ts";
import { type OciProcess, parseProcess } from "../spec/index.ts";
import { completeProcess } from "./bundle.ts";
import type { GlobalOptions } from "./command.ts";
import { type ConsoleChoice, openConsole } from "./console.ts";
import { passedDescriptors, stdioToOwn } from "./descriptors.ts";
import { processFailure } from "./failure.ts";
import { readJsonStream } from "./json-file.ts";
import { checkLifecycle } from "./lifecycle.ts";
import type { Flags } from "./parse-arguments.ts";
import { type ContainerRecord, type ProcessRecord, readProcessRecord } from "./records.ts";
import { filterCache } from "./seccomp-cache.ts";
import { OCI_VERSION } from "./state.ts";
import { readStatus } from "./status.ts";

export interface ExecOptions {
  readonly console: ConsoleChoice;
  readonly pidFile: string | undefined;
  readonly preserveFds: string | undefined;
  readonly ignorePaused: boolean;
  /** A cgroup below the container's, as "/name" or "name". */
  readonly cgroup: string | undefined;
  readonly foreground: boolean;
}

/** The process runs when this resolves. */
export async function execInContainer(
  record: ContainerRecord,
  composed: OciProcess,
  options: ExecOptions,
  globals: GlobalOptions,
): Promise<Launch> {
  const status = readStatus(globals.root, record);
  if (!(status === "paused" && options.ignorePaused)) checkLifecycle("exec", status);
  await using undo = new UndoStack();
  const pidfd = record.init && openProcess(record.init);
  if (pidfd === undefined || !record.init) throw stopped();
  undo.defer(() => closeSync(pidfd));
  const process = completeProcess(composed, `/proc/${record.init.pid}/root`);
  const passed = passedDescriptors(options.preserveFds);
  const consoleFd = openConsole(process.terminal ?? false, options, undo);
  const kept = readProcessRecord(globals.root, record.id);
  const inherit = [pidfd, ...(consoleFd === undefined ? [] : [consoleFd]), ...passed.fds];
  const seccomp = compiled(kept);
  const plan = planExec(
    { ...process, env: [...process.env, ...passed.env] },
    {
      cgroupDir: cgroupOf(record, options.cgroup),
      target: readNamespaces(record.init.pid),
      own: readNamespaces("self"),
      daemon: false,
      leave: !options.foreground,
      ...(seccomp ? { seccomp } : {}),
      ...listener(record, record.init.pid, kept),
      ...(kept.linux ? { linux: kept.linux } : {}),
      ...(kept.sharesMounts ? { rootPath: `/proc/${record.init.pid}/root` } : {}),
      capabilities: readCapabilityFacts(),
      ...(kept.noNewKeyring ? {} : { keyring: `_ses.${record.id}` }),
      inherited: inherit.length - 1,
      handOver: {
        ...(consoleFd === undefined ? {} : { consoleSlot: 1 as Slot }),
        ...(passed.fds.length > 0
          ? {
              keepFds: {
                first: (inherit.length - passed.fds.length) as Slot,
                count: passed.fds.length,
              },
            }
          : {}),
        ownStdio: process.terminal ? [] : stdioToOwn(process.user.uid),
      },
    },
  );
  return start(plan, inherit, process, options);
}

/** A filter that notifies has an agent, which is told of each process. */
function listener(
  { id, bundle, annotations }: ContainerRecord,
  pid: number,
  { seccomp }: ProcessRecord,
): Pick<ExecLaunch, "listener"> {
  if (!seccomp) return {};
  const state = { ociVersion: OCI_VERSION, id, status: "running", pid, bundle } as const;
  const found = planListener(seccomp, annotations ? { ...state, annotations } : state);
  return found ? { listener: found } : {};
}

async function start(
  plan: LaunchPlan,
  inherit: readonly number[],
  process: OciProcess,
  { pidFile, foreground }: ExecOptions,
): Promise<Launch> {
  const launched = launch(plan, { stdio: [0, 1, 2], inherit, title: "tsrun-oci: exec" });
  try {
    const pid = await launched.running;
    if (pidFile !== undefined) writeFileAtomic(posix.resolve(pidFile), String(pid));
    if (!foreground) await launched.ended;
    return launched;
  } catch (error) {
    throw processFailure(error, process);
  }
}

function stopped(): TsrunError {
  return new TsrunError("WRONG_STATE", "cannot exec in a stopped container");
}

function compiled({ seccomp }: ProcessRecord): CompiledSeccomp | undefined {
  if (!seccomp) return undefined;
  return compileSeccomp(seccomp, machineArch(), filterCache());
}

/**
 * The one that the first process is in now: an init system divides the container's cgroup, which then
 * takes no processes itself (cgroup-v2.rst, "No Internal Process Constraint").
 */
function cgroupOf({ cgroup, init }: ContainerRecord, below: string | undefined): string {
  if (below !== undefined) return posix.join(cgroup, posix.join("/", below));
  const own = readFileSync(`/proc/${init?.pid}/cgroup`, "utf8");
  const path = /^0::(.*)$/m.exec(own)?.[1] ?? "";
  const name = cgroup.slice(cgroup.lastIndexOf("/"));
  const at = path.lastIndexOf(`${name}/`);
  const inside = at === -1 ? cgroup : `${cgroup}${path.slice(at + name.length)}`;
  return existsSync(inside) ? inside : cgroup;
}

/** What the flags say, on the container's own process as it was configured. */
export function composeProcess(flags: Flags, args: readonly string[], own: OciProcess): OciProcess {
  const file = flags.value("process");
  if (file !== undefined) return parseProcess(readJsonStream(file)).value;
  if (args.length === 0) throw invalid("process args cannot be empty");
  const { capabilities } = own;
  const caps = flags.list("cap");
  const [cwd, label, profile] = ["cwd", "process-label", "apparmor"].map((name) =>
    flags.value(name),
  );
  const { consoleSize: _ownSize, ...rest } = own;
  return {
    ...rest,
    args,
    terminal: flags.flag("tty"),
    ...(cwd === undefined ? {} : { cwd }),
    ...(label === undefined ? {} : { selinuxLabel: label }),
    ...(profile === undefined ? {} : { apparmorProfile: profile }),
    ...(flags.flag("no-new-privs") ? { noNewPrivileges: true } : {}),
    env: [...own.env, ...flags.list("env")],
    user: composeUser(flags, own.user),
    ...(caps.length > 0 ? { capabilities: withCapabilities(capabilities ?? {}, caps) } : {}),
  };
}

type Capabilities = NonNullable<OciProcess["capabilities"]>;

/** Not in the inheritable set: a file's capabilities would give it to programs of other users (CVE-2022-29162). */
function withCapabilities(own: Capabilities, names: readonly string[]): Capabilities {
  const add = (set: readonly string[] = []) => [...new Set([...set, ...names])];
  return {
    ...own,
    bounding: add(own.bounding),
    effective: add(own.effective),
    permitted: add(own.permitted),
  };
}

function composeUser(flags: Flags, own: OciProcess["user"]): OciProcess["user"] {
  const [uid, gid] = (flags.value("user") ?? "").split(":");
  const additional = flags.list("additional-gids").map(parseId);
  return {
    ...own,
    ...(uid ? { uid: parseId(uid) } : {}),
    ...(gid ? { gid: parseId(gid) } : {}),
    ...(additional.length > 0
      ? { additionalGids: [...(own.additionalGids ?? []), ...additional] }
      : {}),
  };
}

function parseId(text: string): number {
  const id = Number(text);
  if (/^\d+$/.test(text) && id < 2 ** 32 - 1) return id;
  throw invalid(`parsing ${JSON.stringify(text)} as an id: invalid syntax`);
}

function invalid(message: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", message);
}
