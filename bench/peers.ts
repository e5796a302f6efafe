/**
 * The peers' side: a bundle with the very specification that tsrun composes for its own container, and
 * how crun and runc are run on this kind of host. crun refuses a hybrid cgroup layout, so the whole
 * bench runs in a private mount namespace where /sys/fs/cgroup is cgroup v2; nothing outside sees it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type { OciSpec } from "../src/spec/index.ts";

const IN_VIEW = "TSRUN_BENCH_IN_VIEW";

/** /run on tmpfs, as on any host that booted: tsrun and the peers keep their state there. */
const VIEW_SCRIPT = `
umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
mount -t tmpfs tmpfs /run && exec "$@"`;

/** Runs this very program again in that view; false once it is in it. */
export async function enterCgroup2View(): Promise<boolean> {
  if (process.env[IN_VIEW] !== undefined) return false;
  const inner = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const view = ["-m", "--propagation", "private", "sh", "-c", VIEW_SCRIPT, "-", ...inner];
  // Extra certificates make every start of Node 50 ms slower, and no peer reads them.
  const env = { [IN_VIEW]: "1", NODE_EXTRA_CA_CERTS: "" };
  const { exitCode } = await execa("unshare", view, { stdio: "inherit", reject: false, env });
  process.exitCode = exitCode ?? 1;
  return true;
}

export type PeerName = "crun" | "runc";

/** A runtime as it works here. */
export interface Peer {
  readonly name: PeerName;
  /** Arguments before the subcommand. */
  readonly globals: readonly string[];
}

/** crun 1.8 raises RLIMIT_MEMLOCK for its device filter and dies where root may not (LAB). */
const WAYS: readonly Peer[] = [
  { name: "crun", globals: [] },
  { name: "crun", globals: ["--cgroup-manager=disabled"] },
  { name: "runc", globals: [] },
];

/** The first way in which each peer runs the bundle; or why it does not. */
export async function findPeers(
  bundle: string,
): Promise<{ readonly peers: readonly Peer[]; readonly missing: readonly string[] }> {
  const peers = new Map<PeerName, Peer>();
  const reasons = new Map<PeerName, string>();
  for (const peer of WAYS) {
    if (peers.has(peer.name)) continue;
    try {
      await runPeer(peer, bundle);
      peers.set(peer.name, peer);
      reasons.delete(peer.name);
    } catch (error) {
      const { code, stderr } = error as { code?: string; stderr?: string };
      const absent = `is not installed (apt-get install ${peer.name})`;
      reasons.set(peer.name, code === "ENOENT" ? absent : `does not run here: ${stderr}`);
    }
  }
  return {
    peers: [...peers.values()],
    missing: [...reasons].map(([name, reason]) => `${name} ${reason}`),
  };
}

let containers = 0;

/** From the command to its exit status, as a program would use the peer. */
export async function runPeer({ name, globals }: Peer, bundle: string): Promise<void> {
  containers += 1;
  const id = `bench-${process.pid}-${containers}`;
  await execa(name, [...globals, "run", "--bundle", bundle, id], { stdin: "ignore" });
}

/** A running container of the peer's: `await using` ends it. */
export async function startPeer(
  { name, globals }: Peer,
  bundle: string,
): Promise<AsyncDisposable & { readonly exec: () => Promise<void> }> {
  containers += 1;
  const id = `bench-${process.pid}-${containers}`;
  await execa(name, [...globals, "run", "--detach", "--bundle", bundle, id], { stdio: "ignore" });
  return {
    exec: async () => {
      await execa(name, [...globals, "exec", id, "/bin/true"], { stdin: "ignore" });
    },
    [Symbol.asyncDispose]: async () => {
      await execa(name, [...globals, "delete", "--force", id], { stdio: "ignore" });
    },
  };
}

export interface BundleOptions {
  readonly root: string;
  readonly args: readonly string[];
  readonly seccomp?: boolean;
}

/** tsrun's specification for a peer: other paths, the same isolation. */
export function writeBundle(
  dir: string,
  spec: OciSpec,
  { root, args, seccomp = true }: BundleOptions,
): string {
  mkdirSync(dir, { recursive: true });
  const { seccomp: filter, ...linux } = spec.linux;
  const config = {
    ...spec,
    ociVersion: "1.0.2", // runc 1.1 and crun 1.8 know no later one
    root: { ...spec.root, path: root },
    process: { ...spec.process, args },
    mounts: spec.mounts.map((mount) => ownSource(dir, mount)),
    linux: {
      ...linux,
      cgroupsPath: `/tsrun-bench/${dir.split("/").at(-1)}`,
      ...(seccomp && filter ? { seccomp: filter } : {}),
    },
  };
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  return dir;
}

/** What tsrun writes for each run (hosts, resolv.conf …) a bundle has once and for all. */
function ownSource(dir: string, mount: OciSpec["mounts"][number]): OciSpec["mounts"][number] {
  if (mount.type !== "bind" || mount.source === undefined) return mount;
  const source = join(dir, mount.destination.split("/").at(-1) ?? "file");
  writeFileSync(source, "");
  return { ...mount, source };
}

/** Private memory of a process in KiB. proc_pid_smaps_rollup(5). */
export function privateKib(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const sizes = [...text.matchAll(/^Private_(?:Clean|Dirty|Hugetlb):\s+(\d+) kB$/gm)];
  return sizes.reduce((sum, [, size]) => sum + Number(size), 0);
}
