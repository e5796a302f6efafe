/**
 * The options of run, create and plan as the engine's request. Reads what they point to (env files,
 * label files, block devices); every text is parsed by options/.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path/posix";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type {
  ContainerRequest,
  DiskRequest,
  MountRequest,
  NamespacesRequest,
} from "../engine/index.ts";
import { parseChoice } from "./filters.ts";
import type { OptionValues } from "./option-values.ts";
import { parseCpuList } from "./options/cpu-list.ts";
import { parseDevice, parseDeviceRule } from "./options/devices.ts";
import { parseDiskAlloc } from "./options/disk.ts";
import { type EnvEntries, parseEnv, parseEnvFile, parseEnvHost } from "./options/env.ts";
import {
  parseCgroupParent,
  parseContainerName,
  parseEntrypoint,
  parseGroup,
  parseHostname,
  parsePersonality,
  parseSignal,
  parseUser,
  parseWorkdir,
} from "./options/identity.ts";
import { invalidValue } from "./options/invalid-value.ts";
import { parseKeyValue } from "./options/key-value.ts";
import { parseLabel, parseLabelFile } from "./options/labels.ts";
import { type DeviceNumberOf, parseLimits } from "./options/limits.ts";
import { parseLogOptions } from "./options/log-options.ts";
import { parseMount } from "./options/mounts.ts";
import { parseIpc, parseNamespace, parseNetwork } from "./options/namespaces.ts";
import { parseAddHost, parseDns } from "./options/network-files.ts";
import { parseInteger, parseOctal } from "./options/number.ts";
import { parseRootMode } from "./options/root-mode.ts";
import { parseCapabilities, parseSecurityOptions } from "./options/security.ts";
import { parseSize } from "./options/size.ts";
import { parseSysctl } from "./options/sysctl.ts";
import { parseTimeOffset } from "./options/time-offset.ts";
import { parseTmpfs } from "./options/tmpfs.ts";
import { parseUlimit } from "./options/ulimits.ts";
import { parseUserns } from "./options/userns.ts";
import { parseVolume } from "./options/volumes.ts";

export interface ReadRequest {
  readonly request: ContainerRequest;
  /** Options that were understood and have no effect here. */
  readonly notes: readonly string[];
}

/** `operands` are the image, unless --rootfs is given, and the command. */
export function readContainerRequest(
  options: OptionValues,
  operands: readonly string[],
): ReadRequest {
  const cwd = process.cwd();
  const notes: string[] = [];
  const request = defined<ContainerRequest>({
    ...rootAndCommand(options, operands, cwd),
    ...identity(options),
    ...processSettings(options),
    mounts: mounts(options, cwd, notes),
    ...rootStorage(options),
    shmSizeBytes: size(options, "shm-size", "64m"),
    limits: notEmpty(parseLimits(options, readDeviceNumber)),
    cgroupParent: parsed(options, "cgroup-parent", parseCgroupParent),
    capAdd: some(parseCapabilities("--cap-add", options.list("cap-add"))),
    capDrop: some(parseCapabilities("--cap-drop", options.list("cap-drop"))),
    privileged: options.flag("privileged") || undefined,
    security: notEmpty(parseSecurityOptions(options.list("security-opt"), cwd)),
    devices: some(options.list("device").map(parseDevice)),
    deviceRules: some(options.list("device-cgroup-rule").map(parseDeviceRule)),
    sysctls: record(options.list("sysctl").map(parseSysctl)),
    namespaces: notEmpty(namespaces(options)),
    dns: some(options.list("dns").map(parseDns)),
    addHosts: some(options.list("add-host").flatMap(parseAddHost)),
    log: notEmpty(parseLogOptions(options.list("log-opt"))),
  });
  return { request, notes };
}

function rootAndCommand(options: OptionValues, operands: readonly string[], cwd: string) {
  const rootfs = options.value("rootfs");
  if (rootfs !== undefined) {
    return { rootfs: parseRootfs(rootfs, cwd), command: operands };
  }
  const [image, ...command] = operands;
  if (image === undefined) {
    throw new TsrunError("INVALID_ARGUMENT", "neither an image nor --rootfs is given", {
      hint: "Write the image after the options, as in `tsrun run busybox sh`; `tsrun image ls` lists them.",
    });
  }
  return { image, command };
}

function parseRootfs(text: string, cwd: string): string {
  if (text === "") {
    throw invalidValue("--rootfs", text, "it is not a directory", "Give a directory.");
  }
  return resolve(cwd, text);
}

function identity(options: OptionValues) {
  return {
    name: parsed(options, "name", parseContainerName),
    remove: options.flag("rm") || undefined,
    hostname: parsed(options, "hostname", parseHostname),
    domainname: parsed(options, "domainname", parseHostname),
    labels: record([
      ...options
        .list("label-file")
        .flatMap((path) => parseLabelFile(readText(path, "--label-file"))),
      ...options.list("label").map((text) => parseLabel("--label", text)),
    ]),
    annotations: record(
      options.list("annotation").map((text) => {
        const { key, value } = parseKeyValue("--annotation", text, "org.example.key=value");
        return [key, value] as const;
      }),
    ),
  };
}

function processSettings(options: OptionValues) {
  return {
    entrypoint: parsed(options, "entrypoint", parseEntrypoint),
    env: record(readEnv(options)),
    workdir: parsed(options, "workdir", parseWorkdir),
    user: parsed(options, "user", parseUser),
    groupAdd: some(options.list("group-add").map((text) => parseGroup("--group-add", text))),
    umask: parsed(options, "umask", (flag, text) => parseOctal(flag, text, 0o777)),
    personality: parsed(options, "personality", parsePersonality),
    cpuAffinity: parsed(options, "cpu-affinity", parseCpuList),
    interactive: options.flag("interactive") || undefined,
    tty: options.flag("tty") || undefined,
    init: options.flag("init") || undefined,
    stopSignal: parsed(options, "stop-signal", parseSignal),
    stopTimeoutSeconds: parsed(options, "stop-timeout", parseSeconds),
    rlimits: some(
      options
        .list("ulimit")
        .map(parseUlimit)
        .filter((limit) => limit !== undefined),
    ),
    oomScoreAdj: parsed(options, "oom-score-adj", (flag, text) =>
      parseInteger(flag, text, { min: -1000, max: 1000 }),
    ),
  };
}

/** A week: nobody waits longer, and a timer of Node's takes no more than 24 days. */
const LONGEST_WAIT_SECONDS = 7 * 24 * 3600;

export function parseSeconds(flag: string, text: string): number {
  return parseInteger(flag, text, { min: 0, max: LONGEST_WAIT_SECONDS });
}

/** Host first, then files, then -e: a later one wins. */
export function readEnv(options: OptionValues, { host = true } = {}): EnvEntries {
  return [
    ...(host && options.flag("env-host") ? parseEnvHost(process.env) : []),
    ...options
      .list("env-file")
      .flatMap((path) => parseEnvFile(path, readText(path, "--env-file"), process.env)),
    ...options.list("env").flatMap((text) => parseEnv("--env", text, process.env)),
  ];
}

function mounts(
  options: OptionValues,
  cwd: string,
  notes: string[],
): readonly MountRequest[] | undefined {
  const both = [
    ...options.list("volume").map((text) => parseVolume(text, cwd)),
    ...options.list("mount").map((text) => parseMount(text, cwd)),
  ];
  notes.push(...both.flatMap((parsed) => parsed.notes));
  return some([...both.map(({ mount }) => mount), ...options.list("tmpfs").map(parseTmpfs)]);
}

function rootStorage(options: OptionValues) {
  return {
    imageVolumes: parsed(options, "image-volume", (flag, text) =>
      parseChoice(flag, text, ["anonymous", "tmpfs", "ignore"] as const),
    ),
    readOnly: options.flag("read-only") || undefined,
    rootMode: parsed(options, "root-mode", parseRootMode),
    rootSizeBytes: size(options, "root-size", "256m"),
    disk: disk(options),
  };
}

function disk(options: OptionValues): DiskRequest | undefined {
  const alloc = parsed(options, "disk-alloc", parseDiskAlloc);
  const sizeBytes = size(options, "disk", "10g");
  if (sizeBytes !== undefined) return { sizeBytes, ...(alloc === undefined ? {} : { alloc }) };
  if (alloc === undefined) return undefined;
  throw new TsrunError("INVALID_ARGUMENT", "--disk-alloc is of a disk, and none is asked for", {
    hint: "Add --disk with its size, such as --disk 10g.",
  });
}

function size(options: OptionValues, name: string, example: string): number | undefined {
  return parsed(options, name, (flag, text) => {
    const bytes = parseSize(flag, text);
    if (bytes > 0) return bytes;
    throw invalidValue(flag, text, "it holds nothing", `Give a size such as ${example}.`);
  });
}

function namespaces(options: OptionValues): NamespacesRequest {
  const timeOffsets = options.list("time-offset");
  return defined<NamespacesRequest>({
    pid: parsed(options, "pid", parseNamespace),
    ipc: parsed(options, "ipc", (_flag, text) => parseIpc(text)),
    uts: parsed(options, "uts", parseNamespace),
    cgroup: parsed(options, "cgroupns", parseNamespace),
    network: parsed(options, "network", (_flag, text) => parseNetwork(text)),
    user: parseUserns({
      userns: options.value("userns"),
      uidmap: options.list("uidmap"),
      gidmap: options.list("gidmap"),
    }),
    time: timeOffsets.length > 0 ? parseTimeOffset(timeOffsets) : undefined,
  });
}

function readText(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const reason = hasErrno(error, "ENOENT") ? "there is no such file" : "it cannot be read";
    throw new TsrunError("INVALID_ARGUMENT", `invalid value "${path}" for ${flag}: ${reason}`, {
      hint: "Give a text file that you may read.",
      cause: error,
      origin: flag,
    });
  }
}

/** The number of a block device's node, makedev(3). */
export const readDeviceNumber: DeviceNumberOf = (flag, path) => {
  const node = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!node?.isBlockDevice()) {
    const reason = node ? "it is not a block device" : "there is no such device";
    throw invalidValue(flag, path, reason, "Name a whole disk: lsblk lists them.");
  }
  const major = ((node.rdev >> 8n) & 0xfffn) | ((node.rdev >> 32n) & 0xffff_f000n);
  const minor = (node.rdev & 0xffn) | ((node.rdev >> 12n) & 0xffff_ff00n);
  return { major: Number(major), minor: Number(minor) };
};

function parsed<T>(
  options: OptionValues,
  name: string,
  parse: (flag: string, text: string) => T,
): T | undefined {
  const text = options.value(name);
  return text === undefined ? undefined : parse(`--${name}`, text);
}

function some<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length > 0 ? items : undefined;
}

function notEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length > 0 ? value : undefined;
}

function record(
  entries: readonly (readonly [string, string])[],
): Readonly<Record<string, string>> | undefined {
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/** Leaves out what is undefined: in a request a field is there or not. */
function defined<T extends object>(draft: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(
    Object.entries(draft).filter(([, value]) => value !== undefined),
  ) as unknown as T;
}
