/**
 * tsrun-oci as an engine calls it: a bundle of its own, records of its own, and stdio that are files, for
 * a created container keeps what it was given.
 */
import { type SpawnOptions, spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultSpec } from "../../src/oci/default-spec.ts";
import { readHierarchy, removeCgroup } from "../../src/runtime/index.ts";
import { busyboxRoot } from "./roots.ts";

const PROJECT = join(import.meta.dirname, "../..");
const TSRUN_OCI = join(PROJECT, "bin/tsrun-oci");

// biome-ignore lint/suspicious/noExplicitAny: a config.json is changed in every place that a test thinks of
export type Config = any;

export interface CallResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What is called in the place of tsrun-oci. */
  readonly program?: readonly string[];
  /** Besides stdin (empty), stdout and stderr. */
  readonly fds?: readonly (number | "ignore")[];
}

/** A bundle with busybox, and the records of its containers; all of it is removed at the end. */
export class OciBundle implements AsyncDisposable {
  readonly base: string;
  readonly root: string;
  readonly #cgroup: string;
  readonly #ids = new Set<string>();
  #calls = 0;

  private constructor(base: string) {
    this.base = base;
    this.root = join(base, "run");
    // Not shared with other bundles: who ends removes it, and another might just be making its own below.
    this.#cgroup = `/tsrun-oci-test-${base.slice(-6)}`;
  }

  static async create(change: (config: Config) => void = () => {}): Promise<OciBundle> {
    const bundle = new OciBundle(mkdtempSync(join(tmpdir(), "tsrun-oci-")));
    const config = defaultSpec() as Config;
    config.root.path = await busyboxRoot();
    config.process.terminal = false;
    config.process.args = ["sleep", "60"];
    change(config);
    bundle.write(config);
    return bundle;
  }

  write(config: Config): void {
    config.linux.cgroupsPath ??= `${this.#cgroup}/c`;
    mkdirSync(this.base, { recursive: true });
    writeFileSync(join(this.base, "config.json"), JSON.stringify(config));
  }

  /** The cgroup's directory on this host. */
  cgroup(): string {
    return `${readHierarchy().mountPoint}${this.#cgroup}/c`;
  }

  async call(args: readonly string[], options: CallOptions = {}): Promise<CallResult> {
    const { status } = await this.start(args, options).ended;
    return status;
  }

  /** One that is still under way. */
  start(args: readonly string[], { env = {}, program = [TSRUN_OCI], fds = [] }: CallOptions = {}) {
    const id = args.find((word) => /^c\d/.test(word));
    if (id !== undefined) this.#ids.add(id);
    const [out, err] = [this.#file("out"), this.#file("err")];
    const stdio = [openSync("/dev/null", "r"), openSync(out, "w"), openSync(err, "w")];
    const options: SpawnOptions = {
      cwd: this.base,
      env: { ...process.env, ...env },
      stdio: [...stdio, ...fds],
    };
    const [command = "", ...words] = [...program, "--root", this.root, ...args];
    const child = spawn(command, words, options);
    for (const fd of stdio) closeSync(fd);
    const ended = new Promise<{ readonly status: CallResult }>((resolve, reject) => {
      child.on("error", reject);
      // Not "close": the container holds what it was given.
      child.on("exit", (status) => {
        const [stdout, stderr] = [readFileSync(out, "utf8"), readFileSync(err, "utf8")];
        resolve({ status: { status, stdout, stderr } });
      });
    });
    return { child, ended, output: () => readFileSync(out, "utf8") };
  }

  async state(id: string): Promise<Config> {
    return JSON.parse((await this.call(["state", id])).stdout);
  }

  #file(name: string): string {
    this.#calls += 1;
    return join(this.base, `${this.#calls}.${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#ids) {
      if (existsSync(join(this.root, id))) await this.call(["delete", "--force", id]);
    }
    await removeCgroup(`${readHierarchy().mountPoint}${this.#cgroup}`);
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** tsrun-oci, installed into the folder without what spares it Node's start. Its path. */
export function installWithoutFastPath(folder: string): string {
  mkdirSync(join(folder, "bin"), { recursive: true });
  for (const name of ["dist", "node_modules"]) symlinkSync(join(PROJECT, name), join(folder, name));
  const program = join(folder, "bin/tsrun-oci");
  copyFileSync(TSRUN_OCI, program);
  return program;
}
