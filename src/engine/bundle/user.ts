/**
 * Who "name", "uid", "name:group" or "uid:gid" is, by the container's own /etc/passwd and /etc/group.
 * Pure.
 */
import { TsrunError } from "../../base/errors.ts";

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/** The texts of the files in the container's root; "" where there is none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

const LARGEST_ID = 0xffff_fffe;

/**
 * A number needs no entry; a name does. The groups that list the user are added unless a group was
 * asked for: then only that one and `groupAdd` count, as in Docker and podman.
 * Throws INVALID_ARGUMENT for a name that is not there. passwd(5), group(5).
 */
export function resolveUser(
  user: string,
  groupAdd: readonly string[],
  files: UserFiles,
): ResolvedUser {
  const [userPart = "", groupPart] = splitOnce(user);
  const account = findAccount(userPart === "" ? "0" : userPart, files.passwd);
  const groups = parseGroups(files.group);
  const gid = groupPart ? groupId(groupPart, groups) : account.gid;
  const memberships = groupPart
    ? []
    : groups
        .filter(({ members }) => account.name !== undefined && members.includes(account.name))
        .map(({ gid: id }) => id);
  const added = groupAdd.map((group) => groupId(group, groups));
  const additionalGids = [...new Set([...memberships, ...added])].filter((id) => id !== gid);
  return { uid: account.uid, gid, additionalGids, home: account.home };
}

function splitOnce(text: string): readonly [string, string?] {
  const colon = text.indexOf(":");
  return colon < 0 ? [text] : [text.slice(0, colon), text.slice(colon + 1)];
}

interface Account {
  readonly name?: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

function findAccount(user: string, passwd: string): Account {
  const accounts = parseAccounts(passwd);
  const named = accounts.find(({ name }) => name === user);
  if (named) return named;
  const uid = parseId(user);
  if (uid === undefined) {
    throw new TsrunError("INVALID_ARGUMENT", `there is no user "${user}" in the container`, {
      hint: "Its /etc/passwd does not name it; use a number, or an image that has the user.",
      origin: "user",
    });
  }
  const numbered = accounts.find((account) => account.uid === uid);
  return numbered ?? { uid, gid: 0, home: uid === 0 ? "/root" : "/" };
}

/** NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL; a line that is not so is passed over, as libc does. */
function parseAccounts(passwd: string): Account[] {
  return passwd.split("\n").flatMap((line) => {
    const [name, , uidText = "", gidText = "", , home] = line.split(":");
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    if (!name || uid === undefined || gid === undefined) return [];
    return [{ name, uid, gid, home: home || "/" }];
  });
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** NAME:PASSWORD:GID:MEMBER,MEMBER */
function parseGroups(text: string): Group[] {
  return text.split("\n").flatMap((line) => {
    const [name, , gidText = "", members = ""] = line.split(":");
    const gid = parseId(gidText);
    return name && gid !== undefined ? [{ name, gid, members: members.split(",") }] : [];
  });
}

function groupId(group: string, groups: readonly Group[]): number {
  const id = groups.find(({ name }) => name === group)?.gid ?? parseId(group);
  if (id !== undefined) return id;
  throw new TsrunError("INVALID_ARGUMENT", `there is no group "${group}" in the container`, {
    hint: "Its /etc/group does not name it; use a number, or an image that has the group.",
    origin: "user",
  });
}

function parseId(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const id = Number(text);
  return id <= LARGEST_ID ? id : undefined;
}
