/**
 * A bundle as an engine hands it over: a config.json's text is parsed, planned and launched, and a script
 * inside tells what the container sees.
 */
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pidfdOpen } from "../../../src/ffi/index.ts";
import {
  closePrepared,
  compileSeccomp,
  type ExecLaunch,
  type Launch,
  launch,
  machineArch,
  planContainer,
  planExec,
  prepareLaunch,
  probeHost,
  readDefaultParent,
  readNamespaces,
} from "../../../src/runtime/index.ts";
import { parseProcess, parseSpec } from "../../../src/spec/index.ts";
import { busyboxRoot } from "../../support/roots.ts";

type Json = Record<string, unknown>;

const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
  },
];

export const NAMESPACES: readonly Json[] = ["mount", "pid", "network", "ipc", "uts", "cgroup"].map(
  (type) => ({ type }),
);

export interface Change {
  readonly script?: string;
  readonly process?: Json;
  readonly root?: Json;
  readonly mounts?: readonly Json[];
  readonly linux?: Json;
  readonly top?: Json;
}

export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  readonly warnings: readonly string[];
}

export interface Running {
  readonly launched: Launch;
  readonly pid: number;
  /** Resolves once it has written this to its stdout. */
  readonly wrote: (text: string) => Promise<void>;
  readonly end: () => Promise<Ended>;
}

let count = 0;

export class Bundle implements Disposable {
  readonly directory: string;
  readonly rootfs: string;
  readonly #id = `tsrun-test-${process.pid}-${count++}`;

  private constructor(directory: string) {
    this.directory = directory;
    this.rootfs = join(directory, "rootfs");
  }

  static async create(): Promise<Bundle> {
    const bundle = new Bundle(mkdtempSync(join(tmpdir(), "tsrun-bundle-")));
    cpSync(await busyboxRoot(), bundle.rootfs, { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(bundle.directory, "mnt"));
    return bundle;
  }

  get cgroup(): string {
    return `${readDefaultParent()}/${this.#id}`;
  }

  config({
    script = "true",
    process = {},
    root = {},
    mounts,
    linux = {},
    top = {},
  }: Change): string {
    return JSON.stringify({
      ociVersion: "1.3.0",
      process: {
        user: { uid: 0, gid: 0 },
        args: ["/bin/sh", "-c", script],
        env: ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"],
        cwd: "/",
        ...process,
      },
      root: { path: "rootfs", ...root },
      mounts: mounts ?? MOUNTS,
      linux: { namespaces: NAMESPACES, cgroupsPath: this.cgroup, ...linux },
      ...top,
    });
  }

  /** Starts it, with its output in files. Throws what parsing, planning or the launch says. */
  async start(change: Change): Promise<Running> {
    const { value: spec, warnings } = parseSpec(this.config(change), { bundle: this.directory });
    const root = { kind: "bind", path: spec.root.path } as const;
    const facts = probeHost(spec);
    const arch = machineArch();
    const cacheDir = join(this.directory, "cache");
    const prepared = await prepareLaunch(spec, root, { arch, cacheDir });
    try {
      const plan = planContainer(
        spec,
        {
          ...{ id: this.#id, bundle: this.directory, root, prepared },
          ...{ mountPoint: join(this.directory, "mnt"), hold: false, init: false, daemon: false },
        },
        facts,
      );
      const running = await this.#launch(plan, prepared.inherit, "");
      return {
        ...running,
        end: async () => {
          const ended = await running.end();
          return { ...ended, warnings: [...warnings, ...ended.warnings] };
        },
      };
    } finally {
      closePrepared(prepared);
    }
  }

  /** Runs it to its end. */
  async run(change: Change): Promise<Ended> {
    return (await this.start(change)).end();
  }

  /** What the script prints; a script that fails throws. */
  async see(script: string, change: Change = {}): Promise<string> {
    const { stdout, stderr, code } = await this.run({ ...change, script });
    if (code !== 0) throw new Error(`the script ended with ${code}: ${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** A further process in a running container. */
  async exec(pid: number, process: Json, more: Partial<ExecLaunch> = {}): Promise<Ended> {
    const { value } = parseProcess(
      JSON.stringify({ cwd: "/", env: ["PATH=/bin:/usr/bin"], ...process }),
    );
    const { mountPoint } = probeHost(parseSpec(this.config({}), { bundle: "/" }).value).cgroup;
    const pidfd = pidfdOpen(pid);
    try {
      const plan = planExec(value, {
        cgroupDir: `${mountPoint}${this.cgroup}`,
        target: readNamespaces(pid),
        own: readNamespaces("self"),
        daemon: false,
        ...more,
      });
      return await (await this.#launch(plan, [pidfd], "exec-")).end();
    } finally {
      closeSync(pidfd);
    }
  }

  async #launch(
    plan: Parameters<typeof launch>[0],
    inherit: readonly number[],
    prefix: string,
  ): Promise<Running> {
    const file = (name: string) => join(this.directory, prefix + name);
    const fds = [
      openSync("/dev/null", "r"),
      openSync(file("stdout"), "w"),
      openSync(file("stderr"), "w"),
    ] as const;
    try {
      const launched = launch(plan, { stdio: fds, inherit });
      const pid = await launched.running;
      const end = async (): Promise<Ended> => {
        const status = await launched.exited;
        return {
          stdout: readFileSync(file("stdout"), "utf8"),
          stderr: readFileSync(file("stderr"), "utf8"),
          code: status.kind === "exited" ? status.code : 128 + status.signal,
          warnings: launched.warnings,
        };
      };
      const wrote = async (text: string) => {
        while (!readFileSync(file("stdout"), "utf8").includes(text)) await sleep(5);
      };
      return { launched, pid, wrote, end };
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  /** The filter of a profile, for `exec`. */
  seccomp(seccomp: Parameters<typeof compileSeccomp>[0]) {
    return compileSeccomp(seccomp, machineArch(), join(this.directory, "cache"));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
