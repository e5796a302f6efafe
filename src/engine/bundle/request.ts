/**
 * What is wrong with a request whatever the host is like: said before anything is made. Pure.
 */
import { TsrunError } from "../../base/errors.ts";
import { parseContainerName } from "../container-id.ts";
import type { ContainerRequest } from "../request.ts";

/** linux/include/uapi/linux/utsname.h: __NEW_UTS_LEN. */
const HOSTNAME_MAX = 64;
/** A timer of Node's takes no more than 24 days. */
const LONGEST_STOP_SECONDS = 7 * 24 * 3600;
/** ext4 wants so much for its journal, inodes and a few files. */
const SMALLEST_DISK_BYTES = 16 * 1024 * 1024;
const LABEL = /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/;

/** Throws INVALID_ARGUMENT for the first thing that cannot be meant. */
export function checkRequest(request: ContainerRequest): void {
  for (const check of CHECKS) {
    const wrong = check(request);
    if (wrong) throw new TsrunError("INVALID_ARGUMENT", wrong.message, { hint: wrong.hint });
  }
}

interface Wrong {
  readonly message: string;
  readonly hint: string;
}

type Check = (request: ContainerRequest) => Wrong | undefined;

const CHECKS: readonly Check[] = [
  ({ image, rootfs }) =>
    (image === undefined) === (rootfs === undefined)
      ? {
          message: "a container needs either an image or a root file system",
          hint: "Name an image, or a directory with --rootfs; not both.",
        }
      : undefined,
  ({ rootfs }) =>
    rootfs !== undefined && !rootfs.startsWith("/")
      ? { message: `the root file system "${rootfs}" is not absolute`, hint: ABSOLUTE }
      : undefined,
  ({ name }) => {
    if (name !== undefined) parseContainerName(name);
    return undefined;
  },
  ({ hostname, namespaces }) => checkHostname(hostname, namespaces?.uts?.kind),
  ({ umask }) =>
    umask !== undefined && (!Number.isInteger(umask) || umask < 0 || umask > 0o777)
      ? { message: `${umask} is no umask`, hint: "Write it in octal, from 0 to 0777." }
      : undefined,
  ({ stopTimeoutSeconds }) =>
    stopTimeoutSeconds !== undefined &&
    !(stopTimeoutSeconds >= 0 && stopTimeoutSeconds <= LONGEST_STOP_SECONDS)
      ? {
          message: `${stopTimeoutSeconds} is no time to stop in`,
          hint: `Write seconds, at most ${LONGEST_STOP_SECONDS} (a week); 0 kills at once.`,
        }
      : undefined,
  ({ shmSizeBytes }) =>
    shmSizeBytes !== undefined && !(Number.isInteger(shmSizeBytes) && shmSizeBytes > 0)
      ? { message: `${shmSizeBytes} is no size for /dev/shm`, hint: "Write bytes, above 0." }
      : undefined,
  ({ rootMode, rootfs }) =>
    rootMode !== undefined && rootMode !== "private" && rootfs !== undefined
      ? {
          message: `the root file system "${rootfs}" cannot be ${rootMode}: it is changed in place`,
          hint: "Leave out --root-mode, or make an image of the directory: tsrun image import.",
        }
      : undefined,
  ({ disk, rootfs, rootMode }) =>
    disk !== undefined && (rootfs !== undefined || rootMode === "ephemeral")
      ? {
          message: `${rootfs === undefined ? "an ephemeral root" : "a --rootfs"} cannot be on a disk of its own`,
          hint: "Leave out --disk; --root-size limits an ephemeral root.",
        }
      : undefined,
  ({ disk }) =>
    disk !== undefined &&
    !(Number.isInteger(disk.sizeBytes) && disk.sizeBytes >= SMALLEST_DISK_BYTES)
      ? { message: `${disk.sizeBytes} bytes are no disk`, hint: "Ask for at least 16m." }
      : undefined,
  ({ rootMode, rootSizeBytes }) =>
    rootSizeBytes !== undefined && rootMode !== "ephemeral"
      ? {
          message: "only an ephemeral root has a size of its own",
          hint: "Add --root-mode ephemeral.",
        }
      : undefined,
  ({ rootSizeBytes }) =>
    rootSizeBytes !== undefined && !(Number.isInteger(rootSizeBytes) && rootSizeBytes > 0)
      ? { message: `${rootSizeBytes} is no size for a root`, hint: "Write bytes, above 0." }
      : undefined,
  ({ oomScoreAdj }) =>
    oomScoreAdj !== undefined && !(Math.abs(oomScoreAdj) <= 1000)
      ? {
          message: `${oomScoreAdj} is no OOM score adjustment`,
          hint: "It is between -1000 (never killed) and 1000 (killed first).",
        }
      : undefined,
  ({ limits: { cpus } = {} }) =>
    cpus !== undefined && !(Number.isFinite(cpus) && cpus > 0)
      ? { message: `${cpus} is no number of CPUs`, hint: "Write cores, above 0, e.g. 1.5." }
      : undefined,
  ({ log: { maxSizeBytes = 0, maxFiles = 0 } = {} }) => {
    const wrong = [maxSizeBytes, maxFiles].find((value) => !isCount(value));
    return wrong === undefined
      ? undefined
      : {
          message: `${wrong} cannot limit the log`,
          hint: "Write bytes and a number of files, whole and not negative; 0 is no limit.",
        };
  },
  ({ privileged, namespaces }) =>
    privileged && namespaces?.user !== undefined && namespaces.user.kind !== "host"
      ? {
          message: "a privileged container cannot have a user namespace of its own",
          hint: "Leave out --privileged or --userns: root of such a namespace has no power over devices.",
        }
      : undefined,
  ({ addHosts = [] }) => {
    const wrong = addHosts.find(({ name, address }) => name === "" || !isAddress(address));
    return (
      wrong && {
        message: `"${wrong.name}:${wrong.address}" names no host`,
        hint: "Write --add-host NAME:ADDRESS with an IPv4 or IPv6 address.",
      }
    );
  },
  ({ dns = [] }) => {
    const wrong = dns.find((server) => !isAddress(server));
    return wrong === undefined
      ? undefined
      : {
          message: `"${wrong}" is no DNS server's address`,
          hint: "Write an IPv4 or IPv6 address.",
        };
  },
];

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

const ABSOLUTE = "Write the whole path, beginning with a slash.";

function checkHostname(hostname: string | undefined, uts: string | undefined): Wrong | undefined {
  if (hostname === undefined) return undefined;
  if (uts !== undefined && uts !== "private") {
    return {
      message: `the host name "${hostname}" needs a UTS namespace of the container's own`,
      hint: "Leave out --uts, or the host name.",
    };
  }
  const valid = hostname.length <= HOSTNAME_MAX && hostname.split(".").every((l) => LABEL.test(l));
  if (valid) return undefined;
  return {
    message: `"${hostname}" is no host name`,
    hint: `Use letters, digits and "-", with dots between, at most ${HOSTNAME_MAX} characters.`,
  };
}

/** Digits and dots, or hexadecimal digits and colons (with an embedded IPv4 or a zone at most). */
function isAddress(text: string): boolean {
  const octets = text.split(".");
  if (octets.length === 4) {
    return octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255) || isV6(text);
  }
  return isV6(text);
}

function isV6(text: string): boolean {
  return text.includes(":") && URL.canParse(`http://[${text.replace(/%[\w.-]+$/, "")}]/`);
}
