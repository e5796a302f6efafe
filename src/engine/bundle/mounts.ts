/**
 * What is mounted in a container: the file systems that every one has (podman's choice), the files of
 * its identity, and the request's own. Pure.
 */
import { posix } from "node:path";
import { TsrunError } from "../../base/errors.ts";
import type { OciMount } from "../../spec/index.ts";
import type { EtcFile } from "../engine.ts";
import type { ContainerRequest, MountRequest } from "../request.ts";

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

export interface MountFacts {
  /** Host paths of the files in RUN/containers/ID. */
  readonly etc: Readonly<Record<EtcFile, string>>;
  /** The file of the mount namespace of the container whose IPC namespace is joined. */
  readonly ipcPeer?: string;
  /** By name; where the request has volumes, all of them. */
  readonly volumes?: ReadonlyMap<string, VolumeSource>;
}

export interface VolumeSource {
  /** On the host. */
  readonly path: string;
  /** Files in it have the ids that containers count with, whatever their maps: not so in the host's own. */
  readonly isOurs: boolean;
  /** Of the volume itself, before those of the mount. */
  readonly options: readonly string[];
}

type Request = Pick<
  ContainerRequest,
  "mounts" | "namespaces" | "privileged" | "readOnly" | "shmSizeBytes"
>;

/**
 * Parents before what lies in them. A mount of the request replaces a default one at the same place.
 * Throws INVALID_ARGUMENT for two of the request's at one place, or one on "/".
 */
export function composeMounts(request: Request, facts: MountFacts): OciMount[] {
  const own = (request.mounts ?? []).map((mount) => composeMount(mount, request, facts));
  const taken = new Set<string>();
  for (const { destination } of own) {
    if (destination === "/") {
      throw new TsrunError("INVALID_ARGUMENT", 'nothing can be mounted on "/"', {
        hint: "Use --rootfs for another root.",
        origin: "mounts",
      });
    }
    if (taken.has(destination)) {
      throw new TsrunError("INVALID_ARGUMENT", `two mounts have the target "${destination}"`, {
        hint: "Leave out one of them.",
        origin: "mounts",
      });
    }
    taken.add(destination);
  }
  const defaults = [
    ...systemMounts(request),
    ...ipcMounts(request, facts),
    ...identityMounts(facts),
    ...(request.readOnly ? scratchMounts() : []),
  ].filter(({ destination }) => !taken.has(destination));
  return [...defaults, ...own].sort((a, b) => depth(a) - depth(b));
}

function depth({ destination }: OciMount): number {
  return destination.split("/").filter((part) => part !== "").length;
}

function systemMounts({ namespaces, privileged }: Request): OciMount[] {
  const writable = privileged ? "rw" : "ro";
  const usernsOwn = hasOwnUserns(namespaces);
  const { pid, network } = namespaces ?? {};
  return [
    // A user namespace cannot mount a proc or sysfs of a pid or network namespace that is not its own.
    usernsOwn && isForeign(pid)
      ? rbind("/proc", "/proc", ["nosuid", "noexec", "nodev"])
      : mount("/proc", "proc", ["nosuid", "noexec", "nodev"]),
    mount("/dev", "tmpfs", ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", [
      "nosuid",
      "noexec",
      "newinstance",
      "ptmxmode=0666",
      "mode=0620",
      "gid=5",
    ]),
    usernsOwn && isForeign(network)
      ? rbind("/sys", "/sys", ["nosuid", "noexec", "nodev", writable])
      : mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", writable]),
    mount("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", writable]),
  ];
}

function hasOwnUserns(namespaces: Request["namespaces"]): boolean {
  return namespaces?.user !== undefined && namespaces.user.kind !== "host";
}

function isForeign(choice: { readonly kind: string } | undefined): boolean {
  return choice !== undefined && choice.kind !== "private";
}

function ipcMounts({ namespaces, shmSizeBytes }: Request, { ipcPeer }: MountFacts): OciMount[] {
  const flags = ["nosuid", "noexec", "nodev"];
  const kind = namespaces?.ipc?.kind ?? "private";
  // System V and POSIX shared memory go together: sharing one namespace shares the files of the other.
  const mqueue = mount("/dev/mqueue", "mqueue", flags);
  if (kind === "container" && ipcPeer !== undefined) {
    const ofPeer = (path: string) => ({ ...bind(path, path, flags), sourceNamespace: ipcPeer });
    return [ofPeer("/dev/shm"), hasOwnUserns(namespaces) ? ofPeer("/dev/mqueue") : mqueue];
  }
  if (kind === "host") {
    const shm = bind("/dev/shm", "/dev/shm", flags);
    // Mounted anew it shows the host's queues, too; but not for a user namespace that does not own them.
    if (!hasOwnUserns(namespaces)) return [shm, mqueue];
    return [shm, rbind("/dev/mqueue", "/dev/mqueue", flags)];
  }
  const size = `size=${shmSizeBytes ?? DEFAULT_SHM_BYTES}`;
  return [mount("/dev/shm", "tmpfs", [...flags, "mode=1777", size]), mqueue];
}

function identityMounts({ etc }: MountFacts): OciMount[] {
  const flags = ["nosuid", "nodev", "rprivate"];
  return [
    bind("/etc/hosts", etc.hosts, flags),
    bind("/etc/resolv.conf", etc["resolv.conf"], flags),
    bind("/etc/hostname", etc.hostname, flags),
    bind("/run/.containerenv", etc.containerenv, [...flags, "ro"]),
  ];
}

/** --read-only still leaves programs somewhere to write: podman's --read-only-tmpfs. */
function scratchMounts(): OciMount[] {
  return [
    mount("/run", "tmpfs", ["rw", "nosuid", "nodev", "mode=755", "tmpcopyup"]),
    mount("/tmp", "tmpfs", ["rw", "nosuid", "nodev", "mode=1777", "tmpcopyup"]),
    mount("/var/tmp", "tmpfs", ["rw", "nosuid", "nodev", "mode=1777", "tmpcopyup"]),
  ];
}

function mount(destination: string, type: string, options: readonly string[]): OciMount {
  const source = type === "sysfs" ? "sysfs" : type;
  return { destination, type, source, options };
}

function bind(destination: string, source: string, options: readonly string[]): OciMount {
  return { destination, type: "bind", source, options: ["bind", ...options] };
}

function rbind(destination: string, source: string, options: readonly string[]): OciMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...options] };
}

const PROPAGATIONS = new Set([
  "private",
  "rprivate",
  "shared",
  "rshared",
  "slave",
  "rslave",
  "unbindable",
  "runbindable",
]);
function composeMount(
  request: MountRequest,
  { namespaces }: Pick<Request, "namespaces">,
  { volumes }: Pick<MountFacts, "volumes">,
): OciMount {
  const destination = checkedTarget(request.target);
  if (request.type === "tmpfs") {
    const options = withCopyUp(withTmpfsDefaults(request.options ?? []));
    return { destination, type: "tmpfs", source: "tmpfs", options };
  }
  if (request.type === "volume") {
    const source = volumes?.get(request.name ?? "");
    if (!source) throw new Error(`the volume "${request.name}" was not looked for`);
    const options = volumeOptions(source, request.options ?? [], hasOwnUserns(namespaces));
    return composeBind(destination, source.path, options);
  }
  return composeBind(destination, request.source, request.options ?? []);
}

/** podman's defaults; and the same ids in every container, whatever its map. */
function volumeOptions(
  { options: own, isOurs }: VolumeSource,
  asked: readonly string[],
  usernsOwn: boolean,
): readonly string[] {
  const options = [...own, ...asked];
  const missing = ["nosuid", "nodev"].filter(
    (flag) => !options.includes(flag) && !options.includes(TMPFS_DEFAULTS[flag] ?? ""),
  );
  const mapped = usernsOwn && isOurs && !options.includes("idmap");
  return [...missing, ...options, ...(mapped ? ["idmap"] : [])];
}

function composeBind(destination: string, source: string, options: readonly string[]): OciMount {
  const recursive = options.some((option) => option === "bind" || option === "rbind");
  const propagates = options.some((option) => PROPAGATIONS.has(option));
  return {
    destination,
    type: "bind",
    source,
    options: [...(recursive ? [] : ["rbind"]), ...(propagates ? [] : ["rprivate"]), ...options],
  };
}

/** Each that was not asked for by its opposite: podman's rule. */
const TMPFS_DEFAULTS: Readonly<Record<string, string>> = {
  nosuid: "suid",
  nodev: "dev",
  noexec: "exec",
};

function withTmpfsDefaults(options: readonly string[]): readonly string[] {
  const missing = Object.entries(TMPFS_DEFAULTS)
    .filter(([flag, opposite]) => !options.includes(flag) && !options.includes(opposite))
    .map(([flag]) => flag);
  return [...missing, ...options];
}

/** What the image has at that place is copied into the new tmpfs, unless that is unwanted: podman's rule. */
function withCopyUp(options: readonly string[]): readonly string[] {
  if (options.includes("tmpcopyup")) return options;
  if (options.includes("notmpcopyup")) return options.filter((option) => option !== "notmpcopyup");
  return [...options, "tmpcopyup"];
}

function checkedTarget(target: string): string {
  if (target.startsWith("/")) return posix.normalize(target).replace(/(?<=.)\/+$/, "");
  throw new TsrunError("INVALID_ARGUMENT", `the mount target "${target}" is not absolute`, {
    hint: "Write the whole path as it is inside the container.",
    origin: "mounts",
  });
}
