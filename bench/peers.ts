/**
 * The peers' side: a bundle with the same isolation, and how crun and runc are run on this kind of
 * host. crun refuses a hybrid cgroup layout, so the whole bench runs in a private mount namespace
 * where /sys/fs/cgroup is cgroup v2; nothing outside sees it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";

const IN_VIEW = "TSRUN_BENCH_IN_VIEW";

/** Runs this very program again in a view with pure cgroup v2; false once it is in that view. */
export async function enterCgroup2View(): Promise<boolean> {
  if (process.env[IN_VIEW] !== undefined) return false;
  const pure = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => / \/sys\/fs\/cgroup .* - cgroup2 /.test(line));
  if (pure) return false;
  const script = 'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"';
  const { exitCode } = await execa(
    "unshare",
    [
      "-m",
      "--propagation",
      "private",
      "sh",
      "-c",
      script,
      "-",
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    { stdio: "inherit", reject: false, env: { [IN_VIEW]: "1" } },
  );
  process.exitCode = exitCode ?? 1;
  return true;
}

export interface Peer {
  readonly name: string;
  /** Arguments before the subcommand. */
  readonly globals: readonly string[];
}

const PEERS: readonly Peer[] = [
  // crun 1.8 raises RLIMIT_MEMLOCK for its device filter and dies where root may not.
  { name: "crun", globals: ["--cgroup-manager=disabled"] },
  { name: "runc", globals: [] },
];

export async function installedPeers(): Promise<readonly Peer[]> {
  const found = await Promise.all(
    PEERS.map(async (peer) => ({
      peer,
      there: (await execa(peer.name, ["--version"], { reject: false })).exitCode === 0,
    })),
  );
  return found.filter(({ there }) => there).map(({ peer }) => peer);
}

/** A bundle that does what tsrun's default container does: all its namespaces, masks and filter. */
export function writeBundle(
  dir: string,
  rootfs: string,
  config: Readonly<Record<string, unknown>>,
): string {
  if (!existsSync(rootfs)) throw new Error(`no root file system at "${rootfs}"`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  return dir;
}
