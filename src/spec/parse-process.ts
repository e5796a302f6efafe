/** `process` of config.json, and the file that `exec --process` names. */
import {
  absolutePath,
  bits64,
  flag,
  int32,
  integer,
  list,
  nonEmpty,
  object,
  optionalText,
  type Reader,
  shown,
  text,
  uint64,
  wrong,
} from "./json.ts";
import type { OciProcess, OciRlimit } from "./oci.ts";

/** 2^32-1 is no id but "unchanged" (setresuid(2)). */
const id = integer(0, 0xffff_fffe);

const size = object({ height: integer(0, 0xffff), width: integer(0, 0xffff) }, {});

/** In Go's bindings both are plain numbers: an absent one is 0. */
const userFields = object(
  {},
  { uid: id, gid: id, umask: integer(0, 0o777), additionalGids: list(id), username: windowsOnly },
);
const user: Reader<OciProcess["user"]> = (value, at, warn) => {
  const { uid = 0, gid = 0, umask, additionalGids } = userFields(value, at, warn);
  return {
    uid,
    gid,
    ...(umask === undefined ? {} : { umask }),
    ...(additionalGids === undefined ? {} : { additionalGids }),
  };
};

function windowsOnly(_value: unknown, at: string): never {
  throw wrong(at, "is for Windows containers", "Leave it out: this is a runtime for Linux.");
}

const variable: Reader<string> = (value, at, warn) => {
  const found = text(value, at, warn);
  if (found.indexOf("=") > 0) return found;
  throw wrong(at, `must be NAME=VALUE, not ${shown(found)}`);
};

/** 2^64-1 is "no limit", which OciRlimit has as -1, as people write it too. */
const limit: Reader<number> = (value, at, warn) => {
  if (value === -1 || bits64(value, at, warn) >= 2n ** 63n) return -1;
  return uint64(value, at, warn);
};

const rlimit = object({ type: nonEmpty, soft: limit, hard: limit }, {});

const rlimits: Reader<readonly OciRlimit[]> = (value, at, warn) => {
  const found = list(rlimit)(value, at, warn);
  const seen = new Map<string, number>();
  for (const [index, { type, soft, hard }] of found.entries()) {
    const first = seen.get(type);
    if (first !== undefined) throw wrong(`${at}[${index}].type`, `is already in ${at}[${first}]`);
    seen.set(type, index);
    if (hard !== -1 && (soft === -1 || soft > hard)) {
      throw wrong(`${at}[${index}].soft`, `is more than the hard limit of ${hard}`);
    }
  }
  return found;
};

const capability: Reader<string> = (value, at, warn) => nonEmpty(value, at, warn).toUpperCase();

const capabilities = object(
  {},
  {
    bounding: list(capability),
    effective: list(capability),
    permitted: list(capability),
    inheritable: list(capability),
    ambient: list(capability),
  },
);

const scheduler = object(
  { policy: nonEmpty },
  {
    nice: int32,
    priority: int32,
    flags: list(nonEmpty),
    runtime: uint64,
    deadline: uint64,
    period: uint64,
  },
);

/** Judged with the rest, though an exec is the first to use it. */
const cpus: Reader<string | undefined> = (value, at, warn) => {
  const found = optionalText(value, at, warn);
  if (found === undefined || /^\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*$/.test(found)) return found;
  throw wrong(at, `must be a list of CPUs such as "0-3,7", not ${shown(found)}`);
};

const args: Reader<readonly string[]> = (value, at, warn) => {
  const found = list(text)(value, at, warn);
  if (found.length === 0) throw wrong(at, "must name a command");
  if (found[0] === "") throw wrong(`${at}[0]`, "must not be empty");
  return found;
};

const fields = object(
  { args, cwd: absolutePath },
  {
    user,
    terminal: flag,
    consoleSize: size,
    env: list(variable),
    capabilities,
    rlimits,
    noNewPrivileges: flag,
    oomScoreAdj: integer(-1000, 1000),
    scheduler,
    ioPriority: object({ class: nonEmpty, priority: integer(0, 7) }, {}),
    execCPUAffinity: object({}, { initial: cpus, final: cpus }),
    apparmorProfile: optionalText,
    selinuxLabel: optionalText,
    commandLine: windowsOnly,
  },
);

export const readProcess: Reader<OciProcess> = (value, at, warn) => {
  const {
    commandLine: _,
    user: who = { uid: 0, gid: 0 },
    env = [],
    ...rest
  } = fields(value, at, warn);
  return { ...rest, user: who, env };
};
