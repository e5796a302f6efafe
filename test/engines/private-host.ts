/**
 * The host that an engine of these tests believes to be alone on, and the engine's own folder. Nothing
 * of the machine's daemons, networks, storage or v1 cgroups is seen or touched, and all of it ends with
 * its first process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cacheDirectory } from "../support/cache.ts";
import { type CliOptions, type CliResult, runProgram } from "../support/cli.ts";
import { cgroup2MountPoint } from "../support/host.ts";
import { busyboxRoot } from "../support/roots.ts";

const PROJECT = join(import.meta.dirname, "../..");
/** The built runtime, or another one to compare with. */
export const RUNTIME = process.env["RUNTIME"] || join(import.meta.dirname, "../../bin/tsrun-oci");
const TIMEOUT_MS = 120_000;

export class PrivateHost implements AsyncDisposable {
  /** For the engine's files; removed at the end. */
  readonly base: string;
  readonly #cgroup: string;
  readonly #holder: ChildProcess;
  readonly #daemons: ChildProcess[] = [];
  #first = 0;

  private constructor(init: readonly string[]) {
    this.base = mkdtempSync(join(tmpdir(), "tsrun-engine-"));
    const cgroups = cgroup2MountPoint() ?? "";
    // A machine's own hierarchy is left as it is; the test VM's is all the tests'.
    if (process.env["TSRUN_VM"] !== undefined) handDownControllers(cgroups);
    this.#cgroup = join(cgroups, basename(this.base));
    mkdirSync(this.#cgroup);
    mkdirSync(join(this.#cgroup, "holder"));
    this.#holder = spawn(join(import.meta.dirname, "private-host.sh"), [this.#cgroup, ...init], {
      env: { ...process.env, TSRUN_ENGINES_SHARED: `${PROJECT}:${cacheDirectory()}` },
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  /** `init` is what its first process becomes: by default nothing of interest. */
  static async open(init: readonly string[] = []): Promise<PrivateHost> {
    const host = new PrivateHost(init);
    const { stdout, pid } = host.#holder;
    if (stdout === null || pid === undefined) throw new Error("the private host did not start");
    const [line] = (await once(stdout, "data")) as [Buffer];
    if (line.toString() !== "ready\n") throw new Error(`no private host: ${line}`);
    stdout.destroy();
    // A cgroup that holds processes cannot hand controllers down.
    writeFileSync(join(host.#cgroup, "holder/cgroup.procs"), String(pid));
    host.#first = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
    return host;
  }

  /** The first process of it, by its number outside. */
  get pid(): number {
    return this.#first;
  }

  file(name: string): string {
    return join(this.base, name);
  }

  /** A cable from this host's new device `name` to the other's device of the same name. */
  async connect(other: PrivateHost, name: string): Promise<void> {
    const ends = [name, "netns", String(this.#first), "type", "veth", "peer"];
    const peer = ["name", name, "netns", String(other.#first)];
    const { status, stderr } = await runProgram("ip", ["link", "add", ...ends, ...peer]);
    if (status !== 0) throw new Error(stderr);
  }

  /** A file of the host's cgroups, by its path as the host sees it. */
  cgroupFile(path: string): string {
    return join(this.#cgroup, path);
  }

  /** A tar archive of busybox's root, for an engine to import. */
  async rootArchive(): Promise<string> {
    const archive = this.file("root.tar");
    const { status, stderr } = await runProgram("tar", [
      "-C",
      await busyboxRoot(),
      "-cf",
      archive,
      ".",
    ]);
    if (status !== 0) throw new Error(stderr);
    return archive;
  }

  /** The command line that runs `argv` on this host. */
  argv(argv: readonly string[]): [string, ...string[]] {
    // Into its cgroup first: with "nsdelegate", as the test VM mounts them, nobody enters from outside.
    return [
      ...(["sh", "-c", 'echo 0 > "$0" && exec nsenter "$@"'] as const),
      ...[this.cgroupFile("init/cgroup.procs"), `--target=${this.#first}`],
      ...["--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--", ...argv],
    ];
  }

  run(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const [command, ...rest] = this.argv(argv);
    return runProgram(command, rest, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  }

  /** Starts a daemon, whose output goes to a file, and waits for its socket. */
  async daemon(argv: readonly string[], socket: string): Promise<void> {
    const log = this.file(`${basename(argv[0] ?? "")}.log`);
    const [command, ...rest] = this.argv(["sh", "-c", `exec "$@" > ${log} 2>&1`, "sh", ...argv]);
    const daemon = spawn(command, rest, { stdio: "ignore" });
    this.#daemons.push(daemon);
    for (let wait = 0; wait < 600; wait += 1) {
      const found = await this.run(["test", "-S", socket]);
      if (found.status === 0) return;
      if (daemon.exitCode !== null) break;
      await sleep(50);
    }
    throw new Error(
      `${argv[0]} does not serve ${socket}: ${readFileSync(log, "utf8").slice(-3000)}`,
    );
  }

  /** Also of one that was ended before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = once(this.#holder, "exit");
    process.kill(this.#first, "SIGKILL"); // process 1: the kernel ends all others with it
    await ended;
    await removeCgroup(this.#cgroup);
    rmSync(this.base, { recursive: true, force: true });
  }
}

function handDownControllers(folder: string): void {
  const names = readFileSync(join(folder, "cgroup.controllers"), "utf8").trim().split(" ");
  const wanted = names.map((name) => `+${name}`).join(" ");
  writeFileSync(join(folder, "cgroup.subtree_control"), wanted);
}

/** Its processes have ended; the kernel lets go of their cgroups a moment later. */
async function removeCgroup(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroup(join(folder, entry.name));
  }
  for (let wait = 0; existsSync(folder); wait += 1) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY" || wait > 200) throw error;
      await sleep(25);
    }
  }
}

/** One engine's command line. */
export class Client {
  readonly host: PrivateHost;
  readonly #prefix: readonly string[];

  constructor(host: PrivateHost, prefix: readonly string[]) {
    this.host = host;
    this.#prefix = prefix;
  }

  run(...args: readonly string[]): Promise<CliResult> {
    return this.host.run([...this.#prefix, ...args]);
  }

  /** stdout, without its last line end, of a command that has to succeed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...args);
    if (status !== 0) throw new Error(`${args.join(" ")}: ${status}: ${stderr}${stdout}`);
    return stdout.replace(/\n$/, "");
  }

  /** The command line, to be run in a terminal. */
  argv(...args: readonly string[]): [string, ...string[]] {
    return this.host.argv([...this.#prefix, ...args]);
  }
}

/** Why an engine cannot be tried here; undefined if it can. */
export function unavailable(...files: readonly string[]): string | undefined {
  if (cgroup2MountPoint() === undefined) return "needs cgroup v2";
  const missing = files.filter((file) => !existsSync(file));
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}`;
}

/** Waits until `look` gives what is wanted. */
export async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (await look()) return;
    await sleep(100);
  }
  throw new Error(`not in time: ${what}`);
}
