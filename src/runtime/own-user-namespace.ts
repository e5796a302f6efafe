/**
 * A user namespace for a user without privileges: its id 0 is he, and from 1 on come the ids that
 * /etc/subuid and /etc/subgid give him. Only newuidmap(1) and newgidmap(1), which are set-user-ID, may
 * map those; his own id alone he may map himself (user_namespaces(7)).
 */
import { execFile } from "node:child_process";
import { openSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { formatIdMap, type IdRange, NAMESPACE_KINDS, planOwnIdMap } from "../namespaces/index.ts";
import type { LaunchPlan, PlannedOp } from "../plan/index.ts";
import type { OciIdMapping } from "../spec/index.ts";
import { type Launch, launch } from "./launch.ts";
import { planHeld } from "./plan-held.ts";

export interface OwnIds {
  readonly uid: number;
  readonly gid: number;
  /** What may be mapped besides; both are needed, or neither counts. */
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/**
 * The namespace as an open file, close-on-exec; the caller closes it. Without ranges, or without
 * newuidmap, only the user's own id is in it. Throws UNSUPPORTED where this user may make none,
 * PERMISSION where the ranges are refused.
 */
export async function createOwnUserNamespace(ids: OwnIds): Promise<number> {
  if (ids.uids.length === 0 || ids.gids.length === 0) return createWithOwnId(ids);
  return (await createWithRanges(ids)) ?? (await createWithOwnId(ids));
}

/** undefined where newuidmap or newgidmap is not installed. */
async function createWithRanges({ uid, gid, uids, gids }: OwnIds): Promise<number | undefined> {
  await using holder = await startHolder();
  // Both at once; when one fails, the other has ended, too.
  const results = await Promise.allSettled([
    writeMap("newuidmap", holder.pid, planOwnIdMap(uid, uids)),
    writeMap("newgidmap", holder.pid, planOwnIdMap(gid, gids)),
  ]);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  const isWhole = results.every((one) => one.status === "fulfilled" && one.value === "written");
  return isWhole ? holder.open() : undefined;
}

async function createWithOwnId({ uid, gid }: OwnIds): Promise<number> {
  await using holder = await startHolder();
  const write = (name: string, text: string) => writeFileSync(`/proc/${holder.pid}/${name}`, text);
  // Without it nobody may write his own gid_map: a group that takes rights away could be left.
  write("setgroups", "deny");
  write("gid_map", formatIdMap(planOwnIdMap(gid, []), ORIGIN));
  write("uid_map", formatIdMap(planOwnIdMap(uid, []), ORIGIN));
  return holder.open();
}

const ORIGIN = "the user namespace";
const PR_SET_DUMPABLE = 4;

/** The stage hides itself from its user; this child has nothing to hide, and its namespace is asked for. */
const SHOW: PlannedOp = {
  op: { kind: "prctl", option: PR_SET_DUMPABLE, arg2: 1, arg3: 0, arg4: 0 },
  phase: "child",
  origin: ORIGIN,
};

interface Holder extends AsyncDisposable {
  readonly pid: number;
  open(): number;
}

/** A process in the new namespace, which ends when it is disposed of, and with us. */
async function startHolder(): Promise<Holder> {
  const plan: LaunchPlan = planHeld({
    before: [SHOW],
    cloneFlags: NAMESPACE_KINDS.user.flag,
    origin: ORIGIN,
  });
  const launched = launch(plan, { stdio: [0, 1, 2], title: "tsrun: [user namespace]" });
  const pid = await createdIn(launched);
  return {
    pid,
    open: () => openSync(`/proc/${pid}/ns/user`, "r"),
    [Symbol.asyncDispose]: () => end(launched),
  };
}

async function createdIn(launched: Launch): Promise<number> {
  try {
    return await launched.created;
  } catch (cause) {
    if (!hasErrno(cause, "ENOSPC", "EPERM", "EINVAL", "ENOSYS")) throw cause;
    throw new TsrunError("UNSUPPORTED", "this system lets you make no user namespace", {
      hint: "Without root images need one: the sysctl user.max_user_namespaces has to be large enough and kernel.unprivileged_userns_clone, where there is one, 1.",
      cause,
    });
  }
}

async function end(launched: Launch): Promise<void> {
  launched.detach();
  try {
    await launched.ended;
  } catch (error) {
    if (!(error instanceof TsrunError)) throw error; // it is undone: that is what we wanted
  }
}

async function writeMap(
  program: "newuidmap" | "newgidmap",
  pid: number,
  mappings: readonly OciIdMapping[],
): Promise<"written" | "not installed"> {
  const numbers = mappings.flatMap((one) => [one.containerID, one.hostID, one.size]);
  try {
    await promisify(execFile)(program, [pid, ...numbers].map(String));
    return "written";
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "not installed";
    const { stderr } = error as { readonly stderr?: string };
    const said = stderr?.trim() || (error as Error).message;
    throw new TsrunError("PERMISSION", `${program} does not map your ids: ${said}`, {
      hint: HINTS[program],
      cause: error,
    });
  }
}

const HINTS = {
  newuidmap: refusalHint("/etc/subuid"),
  newgidmap: refusalHint("/etc/subgid"),
} as const;

function refusalHint(file: string): string {
  return `It has to be set-user-ID (Debian: apt install --reinstall uidmap), your ids have to be in ${file}, your group has to be that of /etc/passwd (not newgrp's), and no_new_privs must not be set.`;
}
