/**
 * The processes of a container, as /proc of the host shows them and as they are called inside.
 */
import { readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { readIdMap, readProcs, toContainerId } from "../runtime/index.ts";
import type { UserFiles } from "./bundle/user.ts";
import { viewContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { checkLifecycle } from "./lifecycle.ts";
import { runOf } from "./pause.ts";
import { resolveContainer } from "./resolve.ts";
import { readUserFiles } from "./user-files.ts";

export interface ProcessRow {
  /** In the container's pid namespace. */
  readonly pid: number;
  readonly parentPid: number;
  readonly hostPid: number;
  /** As the container counts; -1 for an id that it has no number for. */
  readonly uid: number;
  /** The name in the container's /etc/passwd, else the number. */
  readonly user: string;
  /** One letter: R, S, D, T, Z … proc_pid_stat(5). */
  readonly state: string;
  /** Of one CPU, since the process was started. */
  readonly cpuPercent: number;
  readonly cpuSeconds: number;
  readonly elapsedSeconds: number;
  /** "pts/0", or "?" for none. */
  readonly tty: string;
  /** Resident. */
  readonly memoryBytes: number;
  readonly args: readonly string[];
  /** The arguments, or in brackets the name of a process that has none left. */
  readonly command: string;
}

/** Throws WRONG_STATE for a container that does not run. */
export async function containerTop(engine: Engine, ref: string): Promise<ProcessRow[]> {
  const view = await viewContainer(engine, resolveContainer(engine, ref));
  checkLifecycle("top", view.status, view.config);
  const { cgroup, state } = runOf(view);
  const init = state.init?.pid ?? 0;
  const facts: TopFacts = {
    uidMap: readMapIfThere(init),
    users: userNames(readFilesIfThere(init)),
    uptimeSeconds: Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]),
    depth: namespaceDepth(init),
  };
  const seen = readProcs(cgroup, { recursive: true }).flatMap((pid) => {
    const raw = pid > 0 ? readProcess(pid) : undefined;
    return raw ? [raw] : [];
  });
  const insidePids = new Map(seen.map((raw) => [raw.hostPid, insidePid(raw, facts)]));
  return seen.map((raw) => processRow(raw, facts, insidePids)).sort((a, b) => a.pid - b.pid);
}

interface TopFacts {
  readonly uidMap: ReturnType<typeof readIdMap>;
  readonly users: ReadonlyMap<number, string>;
  readonly uptimeSeconds: number;
  /** Which of the numbers in NSpid is the container's own: a process may have made namespaces below. */
  readonly depth: number;
}

interface RawProcess {
  readonly hostPid: number;
  readonly stat: readonly string[];
  readonly status: ReadonlyMap<string, string>;
  readonly args: readonly string[];
}

/** undefined for one that has ended meanwhile. */
function readProcess(hostPid: number): RawProcess | undefined {
  try {
    const read = (file: string) => readFileSync(`/proc/${hostPid}/${file}`, "utf8");
    const stat = read("stat");
    return {
      hostPid,
      stat: stat.slice(stat.lastIndexOf(")") + 2).split(" "),
      status: parseStatus(read("status")),
      args: read("cmdline").split("\0").slice(0, -1),
    };
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

/** proc_pid_status(5): "Name:\tvalue" lines. */
function parseStatus(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}

/** USER_HZ, which the kernel keeps at 100 for /proc on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
/** Positions after the name, which ends in ")": field 3 is the first. proc_pid_stat(5). */
const STAT = { state: 0, ppid: 1, tty: 4, utime: 11, stime: 12, start: 19 } as const;

function processRow(
  { hostPid, stat, status, args }: RawProcess,
  facts: TopFacts,
  insidePids: ReadonlyMap<number, number>,
): ProcessRow {
  const field = (at: number) => Number(stat[at] ?? 0);
  const cpuSeconds = (field(STAT.utime) + field(STAT.stime)) / TICKS_PER_SECOND;
  const elapsedSeconds = Math.max(0, facts.uptimeSeconds - field(STAT.start) / TICKS_PER_SECOND);
  const hostUid = Number(status.get("Uid")?.split("\t")[1] ?? -1);
  const uid = toContainerId(facts.uidMap, hostUid) ?? -1;
  return {
    pid: insidePids.get(hostPid) ?? hostPid,
    parentPid: insidePids.get(field(STAT.ppid)) ?? 0,
    hostPid,
    uid,
    user: facts.users.get(uid) ?? String(uid),
    state: stat[STAT.state] ?? "?",
    cpuPercent: elapsedSeconds > 0 ? (100 * cpuSeconds) / elapsedSeconds : 0,
    cpuSeconds,
    elapsedSeconds,
    tty: ttyName(field(STAT.tty)),
    memoryBytes: 1024 * Number.parseInt(status.get("VmRSS") ?? "0", 10),
    args,
    command: args.length > 0 ? args.join(" ") : `[${status.get("Name") ?? ""}]`,
  };
}

function insidePid({ hostPid, status }: RawProcess, { depth }: TopFacts): number {
  const pids = (status.get("NSpid") ?? "").split("\t").map(Number);
  return pids[depth] ?? pids.at(-1) ?? hostPid;
}

function namespaceDepth(initPid: number): number {
  const pids = readProcess(initPid)?.status.get("NSpid")?.split("\t") ?? [];
  return Math.max(0, pids.length - 1);
}

/** Unix98 ptys have the majors 136 to 143, with 256 numbers each. devices.txt */
const FIRST_PTS_MAJOR = 136;
const LAST_PTS_MAJOR = 143;

function ttyName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major < FIRST_PTS_MAJOR || major > LAST_PTS_MAJOR) return "?";
  return `pts/${(major - FIRST_PTS_MAJOR) * 256 + minor}`;
}

function userNames({ passwd }: UserFiles): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of passwd.split("\n")) {
    const [name, , uid = ""] = line.split(":");
    if (name && /^\d+$/.test(uid) && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return names;
}

function readFilesIfThere(initPid: number): UserFiles {
  try {
    return readUserFiles([`/proc/${initPid}/root`]);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES")) return { passwd: "", group: "" };
    throw error;
  }
}

const WHOLE = [{ containerID: 0, hostID: 0, size: 0xffff_ffff }];

function readMapIfThere(initPid: number): ReturnType<typeof readIdMap> {
  try {
    return readIdMap(initPid, "uid");
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return WHOLE;
    throw error;
  }
}
