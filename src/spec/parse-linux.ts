/** `linux` of config.json. */
import {
  absolutePath,
  bits64,
  flag,
  int64,
  integer,
  list,
  map,
  nonEmpty,
  object,
  oneOf,
  optionalText,
  type Reader,
  text,
  uint32,
  wrong,
} from "./json.ts";
import type { OciLinux, OciNamespace, OciNamespaceType, OciSeccomp } from "./oci.ts";
import { idMappings } from "./parse-mounts.ts";
import { readResources } from "./parse-resources.ts";

const NAMESPACE_TYPES: readonly OciNamespaceType[] = [
  "pid",
  "network",
  "mount",
  "ipc",
  "uts",
  "user",
  "cgroup",
  "time",
];

const namespace: Reader<OciNamespace> = object(
  { type: oneOf(...NAMESPACE_TYPES) },
  { path: optionalText },
);

const MAX_ERRNO = 4095;
const errno = integer(0, MAX_ERRNO);

const syscallRule = object(
  { names: list(nonEmpty), action: nonEmpty },
  {
    errnoRet: errno,
    args: list(
      object(
        { index: integer(0, 5), op: nonEmpty },
        // Go writes no zero that is optional, and its readers take an absent one for zero.
        { value: bits64, valueTwo: bits64 },
      ),
    ),
  },
);

const seccompFields = object(
  { defaultAction: nonEmpty },
  {
    defaultErrnoRet: errno,
    architectures: list(nonEmpty),
    flags: list(nonEmpty),
    listenerPath: optionalText,
    listenerMetadata: optionalText,
    syscalls: list(syscallRule),
  },
);

const seccomp: Reader<OciSeccomp> = (value, at, warn) => {
  const { syscalls = [], ...rest } = seccompFields(value, at, warn);
  if (rest.listenerMetadata !== undefined && rest.listenerPath === undefined) {
    throw wrong(`${at}.listenerMetadata`, "is for a listener, and there is no listenerPath");
  }
  const empty = syscalls.findIndex(({ names }) => names.length === 0);
  if (empty !== -1) throw wrong(`${at}.syscalls[${empty}].names`, "must name a system call");
  return {
    ...rest,
    syscalls: syscalls.map((rule) => ({
      ...rule,
      args: (rule.args ?? []).map(({ value: compared = 0, ...arg }) => ({
        ...arg,
        value: compared,
      })),
    })),
  };
};

const timeOffset = object({}, { secs: int64, nanosecs: uint32 });

/** Of the clocks that there are only these can be moved (time_namespaces(7)). */
const timeOffsets: Reader<NonNullable<OciLinux["timeOffsets"]>> = map(
  timeOffset,
  oneOf("monotonic", "boottime"),
);

const device = object(
  { type: oneOf("c", "b", "u", "p"), path: absolutePath },
  {
    major: uint32,
    minor: uint32,
    // Permission bits; Docker writes the file's type as well (S_IFMT).
    fileMode: (value: unknown, at: string) => integer(0, 0o177_777)(value, at, () => {}) & 0o7777,
    uid: uint32,
    gid: uint32,
  },
);

/** 1.3 has lines; until then it was one string. */
const schemata: Reader<readonly string[]> = (value, at, warn) =>
  typeof value === "string"
    ? text(value, at, warn)
        .split("\n")
        .filter((line) => line !== "")
    : list(nonEmpty)(value, at, warn);

const intelRdt = object(
  {},
  {
    closID: optionalText,
    schemata,
    l3CacheSchema: optionalText,
    memBwSchema: optionalText,
    enableMonitoring: flag,
    enableCMT: monitoring,
    enableMBM: monitoring,
  },
);

/** Until 1.3, and every container had its own figures only if both were asked for. */
function monitoring(value: unknown, at: string, warn: (sentence: string) => void): undefined {
  if (flag(value, at, warn)) throw wrong(at, "is no more", "Use enableMonitoring.");
}

const fields = object(
  {},
  {
    namespaces: list(namespace),
    uidMappings: idMappings,
    gidMappings: idMappings,
    timeOffsets,
    devices: list(device),
    cgroupsPath: optionalText,
    resources: readResources,
    rootfsPropagation: optionalText,
    maskedPaths: list(absolutePath),
    readonlyPaths: list(absolutePath),
    seccomp,
    sysctl: map(text, nonEmpty),
    mountLabel: optionalText,
    personality: object({ domain: nonEmpty }, { flags: list(nonEmpty) }),
    intelRdt,
    netDevices: map(object({}, { name: optionalText }), nonEmpty),
    memoryPolicy: object({ mode: nonEmpty }, { nodes: optionalText, flags: list(nonEmpty) }),
  },
);

export const readLinux: Reader<OciLinux> = (value, at, warn) => {
  const { namespaces = [], ...rest } = fields(value, at, warn);
  return { ...rest, namespaces };
};
