/**
 * Owners that cannot be given, in a user namespace or to a user without privileges.
 */
import { readFileSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A refused chown(2) as a sentence with the file, the ids and the remedy; any other error as it is. */
export function ownerError(error: unknown, path: string, owner: Owner): unknown {
  if (hasErrno(error, "EPERM") && process.geteuid?.() !== 0) {
    return new TsrunError("PERMISSION", `cannot give "${path}" to ${ownerText(owner)}`, {
      hint: "Only root may give files away, or who has ids of his own: start the program with `tsrun unshare`, or as root.",
      cause: error,
      errno: "EPERM",
    });
  }
  if (!hasErrno(error, "EINVAL")) return error;
  const missing = missingIds(owner).join(" and ");
  const message = `cannot give "${path}" to ${ownerText(owner)}: ${missing || "one of them"} is not in this user namespace`;
  return new TsrunError("PERMISSION", message, {
    hint: idsHint(readRanges("uid")),
    cause: error,
    errno: "EINVAL",
  });
}

function ownerText({ uid, gid }: Owner): string {
  return `user ${uid}, group ${gid}`;
}

function missingIds({ uid, gid }: Owner): readonly string[] {
  return [
    ...(isMapped(uid, readRanges("uid")) ? [] : [`user ${uid}`]),
    ...(isMapped(gid, readRanges("gid")) ? [] : [`group ${gid}`]),
  ];
}

interface Range {
  readonly first: number;
  readonly size: number;
}

function readRanges(which: "uid" | "gid"): readonly Range[] {
  const lines = readFileSync(`/proc/self/${which}_map`, "utf8").trim().split("\n");
  return lines.map((line) => {
    const [first = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
    return { first, size };
  });
}

function isMapped(id: number, ranges: readonly Range[]): boolean {
  return ranges.some(({ first, size }) => id >= first && id < first + size);
}

function idsHint(ranges: readonly Range[]): string {
  const count = ranges.reduce((sum, { size }) => sum + size, 0);
  const ask =
    "root can give more: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`";
  return count > 1
    ? `You have ${count} ids, from /etc/subuid and /etc/subgid; ${ask}.`
    : `You have only your own id; ${ask}, and newuidmap has to be installed (Debian: uidmap).`;
}
