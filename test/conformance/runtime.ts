/**
 * The OCI runtime under test: $RUNTIME (a command with its global flags), else the built tsrun-oci.
 *
 * Peers get a view of the host that has cgroup v2 alone, in a mount namespace that this process holds
 * open: crun refuses a hybrid host, and on one runc would write to the v1 mounts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CliOptions, type CliResult, runProgram } from "../support/cli.ts";
import { cgroup2MountPoint } from "../support/host.ts";
import { busyboxRoot } from "../support/roots.ts";
import { Bundle } from "./bundle.ts";

/** Of one call, far more than any takes: one that hangs is a failure with a name. */
const TIMEOUT_MS = 30_000;
const TSRUN_OCI = join(import.meta.dirname, "../../bin/tsrun-oci");

export class Runtime implements AsyncDisposable {
  readonly name: string;
  /** For the test's own files; removed at the end. */
  readonly base: string;
  /** The command, its global flags and --root. */
  readonly argv: readonly string[];
  readonly #view: ChildProcess | undefined;
  readonly #rootfs: string;
  readonly #cgroup: string;
  #count = 0;

  private constructor(options: {
    readonly name: string;
    readonly argv: readonly string[];
    readonly view: ChildProcess | undefined;
    readonly rootfs: string;
  }) {
    this.base = mkdtempSync(join(tmpdir(), "tsrun-conformance-"));
    chmodSync(this.base, 0o755); // also root in a user namespace walks to the bundles
    this.name = options.name;
    this.argv = [...options.argv, "--root", join(this.base, "state")];
    this.#view = options.view;
    this.#rootfs = options.rootfs;
    this.#cgroup = `/${basename(this.base)}`;
  }

  static async open(command = process.env["RUNTIME"] || TSRUN_OCI): Promise<Runtime> {
    const argv = command.split(" ");
    const name = basename(argv[0] ?? "");
    const rootfs = await busyboxRoot();
    if (name === "tsrun-oci") return new Runtime({ name, argv, view: undefined, rootfs });
    // Without the controllers' files and CAP_SYS_RESOURCE crun can make no cgroup here (LAB.md).
    if (name === "crun" && !hasControllers()) argv.push("--cgroup-manager=disabled");
    const view = await openCgroup2View();
    const enter = ["nsenter", `--mount=/proc/${view.pid}/ns/mnt`, "--"];
    return new Runtime({ name, argv: [...enter, ...argv], view, rootfs });
  }

  /** A bundle with a root of its own and the base configuration. */
  bundle(): Bundle {
    const id = `c${process.pid}-${++this.#count}`;
    return new Bundle({
      id,
      folder: join(this.base, id),
      rootfs: this.#rootfs,
      cgroupsPath: `${this.#cgroup}/${id}`,
    });
  }

  run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const [command = "", ...rest] = [...this.argv, ...args];
    return runProgram(command, rest, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  }

  /** stdout of a command that has to succeed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(args);
    if (status !== 0) throw new Error(`${this.name} ${args.join(" ")}: ${status}: ${stderr}`);
    return stdout;
  }

  /** The message of a command that has to fail. */
  async refused(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(args);
    if (status === 0) throw new Error(`${this.name} ${args.join(" ")} succeeded: ${stdout}`);
    return stderr;
  }

  async state(id: string): Promise<State> {
    return JSON.parse(await this.ok("state", id)) as State;
  }

  /** Whether there are records of the container, looked at without the runtime. */
  knows(id: string): boolean {
    return existsSync(join(this.base, "state", id));
  }

  /**
   * create with a bundle. Its standard output and error become the container's, and go to the file
   * "output" of the bundle. Resolves to create's exit status.
   */
  async create(bundle: Bundle, { args = [], input = "ignore" }: CreateOptions = {}) {
    const output = openSync(bundle.path("output"), "a");
    const argv = ["create", "--bundle", bundle.folder, ...args, bundle.id];
    const [command = "", ...rest] = [...this.argv, ...argv];
    const child = spawn(command, rest, { stdio: [input, output, output] });
    closeSync(output);
    const [status] = (await once(child, "exit")) as [number | null];
    return status;
  }

  /** A created container, and the bundle's output for the message if it is not. */
  async created(bundle: Bundle, options: CreateOptions = {}): Promise<void> {
    const status = await this.create(bundle, options);
    if (status !== 0) throw new Error(`create: ${status}: ${bundle.output()}`);
  }

  /** Waits until the container's program has ended. */
  async stopped(id: string): Promise<void> {
    for (let wait = 0; wait < 200; wait += 1) {
      if ((await this.state(id)).status === "stopped") return;
      await sleep(25);
    }
    throw new Error(`${id} does not stop`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of containersBelow(join(this.base, "state"))) {
      await this.run(["delete", "--force", id]);
    }
    this.#view?.kill("SIGKILL");
    rmSync(this.base, { recursive: true, force: true });
    removeCgroup(`${cgroup2MountPoint()}${this.#cgroup}`);
  }
}

interface CreateOptions {
  readonly args?: readonly string[];
  readonly input?: "ignore" | number;
}

/** runtime.md "State" */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "paused" | "stopped";
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function hasControllers(): boolean {
  return readFileSync(`${cgroup2MountPoint()}/cgroup.controllers`, "utf8").includes("memory");
}

/** A process in a mount namespace with cgroup v2, and nothing else, on /sys/fs/cgroup. */
async function openCgroup2View(): Promise<ChildProcess> {
  const script =
    "umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup && echo ready && exec sleep infinity";
  const view = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(view.stdout, "data")) as [Buffer];
  if (line.toString() !== "ready\n") throw new Error(`no view of cgroup v2 alone: ${line}`);
  view.stdout.destroy();
  view.unref();
  return view;
}

function containersBelow(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // no container was made
    throw error;
  }
}

function removeCgroup(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // none was made
  }
}
