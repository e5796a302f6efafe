/**
 * A container that is nothing but its file system: namespaces and rootfs are planned by tsrun, the
 * stage carries the plan out, and a shell inside tells what it sees.
 */
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { planNamespaces, readNamespaceFacts } from "../../../src/namespaces/index.ts";
import {
  type LaunchPlan,
  type PlannedOp,
  type Slot,
  SlotAllocator,
} from "../../../src/plan/index.ts";
import { idMapsNeeded, planRootfs, readRootfsFacts } from "../../../src/rootfs/index.ts";
import { launch } from "../../../src/runtime/launch.ts";
import type { OciLinux, OciMount, OciSpec, RootMount } from "../../../src/spec/index.ts";

export interface FileSystemRequest {
  readonly root: RootMount;
  readonly mounts?: readonly OciMount[];
  readonly linux?: Partial<OciLinux>;
  readonly rootReadonly?: boolean;
  /** Ids 0–65535 of the container are 100000–165535 of the host. */
  readonly userNamespace?: boolean;
  readonly hostNetwork?: boolean;
  readonly script: string;
  readonly preparedMounts?: ReadonlyMap<number, number | "plain">;
  readonly interpreter?: readonly string[];
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  readonly warnings: readonly string[];
}

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

/** OCI's usual mounts, as podman and docker give them. */
export const USUAL_MOUNTS: readonly OciMount[] = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/sys",
    type: "sysfs",
    source: "sysfs",
    options: ["nosuid", "noexec", "nodev", "ro"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/mqueue",
    type: "mqueue",
    source: "mqueue",
    options: ["nosuid", "noexec", "nodev"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];

/** Runs `script` with the container's own sh (a busybox by default) and waits for its end. */
export async function runInFileSystem(
  directory: string,
  request: FileSystemRequest,
): Promise<Outcome> {
  const mountPoint = join(directory, "mnt");
  mkdirSync(mountPoint, { recursive: true });
  const spec = specOf(request);
  const idMaps = [...idMapsNeeded(spec, request.root)];
  const namespaces = await Promise.all(idMaps.map(([, maps]) => userNamespace(maps)));
  const prepared = [...(request.preparedMounts ?? [])].filter(([, fd]) => fd !== "plain");
  const inherit = [...namespaces.map(({ fd }) => fd), ...prepared.map(([, fd]) => Number(fd))];
  const slots = new SlotAllocator(inherit.length);
  const idMapSlots = new Map(idMaps.map(([key], index) => [key, index as Slot]));
  const preparedMounts = new Map<number, Slot | "plain">(
    [...(request.preparedMounts ?? [])].map(([index, fd]) => [
      index,
      fd === "plain" ? fd : (inherit.indexOf(fd) as Slot),
    ]),
  );
  const names = planNamespaces({
    linux: spec.linux,
    facts: readNamespaceFacts(spec.linux.namespaces),
    slots,
  });
  const rootfs = planRootfs({
    spec,
    launch: { root: request.root, mountPoint, daemon: false, idMapSlots, preparedMounts },
    facts: readRootfsFacts(spec),
    slots,
  });
  const plan = {
    ops: [
      ...rootfs.host,
      ...names.host,
      ...names.parent,
      ...rootfs.parent,
      ...names.child,
      ...rootfs.child,
      ...execOps(spec.process.args),
    ],
    cloneFlags: names.cloneFlags,
    cgroupSlot: -1 as Slot,
    inheritedFds: inherit.length,
    supervision: {
      daemon: false,
      dieWithParent: true,
      childDiesWithStage: true,
      holdMounts: true,
      timings: false,
    },
  } satisfies LaunchPlan;
  const output = outputFiles(directory);
  try {
    const started = launch(plan, { stdio: [output.stdin, output.stdout, output.stderr], inherit });
    const status = await started.exited;
    return {
      stdout: readFileSync(join(directory, "stdout"), "utf8"),
      stderr: readFileSync(join(directory, "stderr"), "utf8"),
      code: status.kind === "exited" ? status.code : 128 + status.signal,
      warnings: started.warnings,
    };
  } finally {
    output.close();
    for (const { release } of namespaces) release();
  }
}

function specOf(request: FileSystemRequest): OciSpec {
  const { userNamespace: user = false, hostNetwork = false } = request;
  return {
    ociVersion: "1.2.0",
    process: {
      user: { uid: 0, gid: 0 },
      args: [...(request.interpreter ?? ["/bin/sh", "-c"]), request.script],
      env: ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"],
      cwd: "/",
    },
    root: { path: "/unused", readonly: request.rootReadonly ?? false },
    mounts: request.mounts ?? USUAL_MOUNTS,
    linux: {
      namespaces: [
        { type: "mount" },
        { type: "pid" },
        { type: "ipc" },
        { type: "uts" },
        { type: "cgroup" },
        ...(hostNetwork ? [] : [{ type: "network" } as const]),
        ...(user ? [{ type: "user" } as const] : []),
      ],
      ...(user ? { uidMappings: MAPS, gidMappings: MAPS } : {}),
      ...request.linux,
    },
  };
}

function execOps(args: readonly string[]): PlannedOp[] {
  const env = ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"];
  const lists = { argv: args, env, candidates: [args[0] ?? ""] };
  return [{ op: { kind: "exec", lists }, phase: "child", origin: "process.args" }];
}

function outputFiles(directory: string) {
  const stdin = openSync("/dev/null", "r");
  const stdout = openSync(join(directory, "stdout"), "w");
  const stderr = openSync(join(directory, "stderr"), "w");
  const close = () => {
    for (const fd of [stdin, stdout, stderr]) closeSync(fd);
  };
  return { stdin, stdout, stderr, close };
}

/** A user namespace with these maps: a process that is held before its exec keeps it until it is open. */
async function userNamespace(maps: {
  uids: readonly { containerID: number; hostID: number; size: number }[];
  gids: readonly { containerID: number; hostID: number; size: number }[];
}): Promise<{ fd: number; release: () => void }> {
  const names = planNamespaces({
    linux: {
      namespaces: [{ type: "user" }],
      uidMappings: maps.uids,
      gidMappings: maps.gids,
    },
    facts: readNamespaceFacts([{ type: "user" }]),
    slots: new SlotAllocator(),
  });
  const plan: LaunchPlan = {
    ops: [
      ...names.parent,
      { op: { kind: "hold" }, phase: "child", origin: "idmap" },
      ...execOps(["/bin/true"]),
    ],
    cloneFlags: names.cloneFlags,
    cgroupSlot: -1 as Slot,
    inheritedFds: 0,
    supervision: {
      daemon: false,
      dieWithParent: true,
      childDiesWithStage: true,
      holdMounts: false,
      timings: false,
    },
  };
  const io = openSync("/dev/null", "r+");
  const held = launch(plan, { stdio: [io, io, io] });
  const pid = await held.created;
  const fd = openSync(`/proc/${pid}/ns/user`, "r");
  held.detach();
  return {
    fd,
    release: () => {
      closeSync(fd);
      closeSync(io);
    },
  };
}
