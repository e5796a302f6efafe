/**
 * The built command line as a user types it, with images and containers of its own.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxRoot } from "./roots.ts";

export const TSRUN = join(import.meta.dirname, "../../bin/tsrun");

export interface CliResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout's bytes. */
  readonly bytes: Buffer;
}

export interface CliOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/** Runs a program to its end; a signal or a status is a result, not a failure. */
export function runProgram(
  command: string,
  args: readonly string[],
  { input, env = {}, cwd, signal }: CliOptions = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { signal }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", reject);
    child.on("close", (status, signalName) => {
      const bytes = Buffer.concat(stdout);
      resolve({
        status,
        signal: signalName,
        bytes,
        stdout: bytes.toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
    child.stdin?.on("error", () => {}); // it may end without reading all
    child.stdin?.end(input);
  });
}

/** One store in a temporary directory; everything in it is removed at the end. */
export class Cli implements AsyncDisposable {
  readonly base: string;
  readonly env: Readonly<Record<string, string>>;

  private constructor(base: string) {
    this.base = base;
    this.env = { TSRUN_ROOT: join(base, "root"), TSRUN_RUN_ROOT: join(base, "run"), NO_COLOR: "1" };
  }

  /** With an image "busybox" unless told otherwise. */
  static async open({ image = true } = {}): Promise<Cli> {
    const base = mkdtempSync(join(tmpdir(), "tsrun-e2e-"));
    mkdirSync(join(base, "files"));
    const cli = new Cli(base);
    if (image) await cli.ok("image", "import", "-q", await busyboxRoot(), "busybox");
    return cli;
  }

  /** A path in a directory for the test's own files. */
  file(name: string): string {
    return join(this.base, "files", name);
  }

  run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    return runProgram(TSRUN, args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** stdout of a command that has to succeed, without its last line end. */
  async ok(...args: readonly string[]): Promise<string> {
    return this.okWith({}, ...args);
  }

  async okWith(options: CliOptions, ...args: readonly string[]): Promise<string> {
    const { status, signal, stdout, stderr } = await this.run(args, options);
    if (status !== 0) {
      throw new Error(`tsrun ${args.join(" ")} ended with ${signal ?? status}: ${stderr}${stdout}`);
    }
    return stdout.replace(/\n$/, "");
  }

  /** A shell's command line in which `tsrun` is the built one. */
  shell(script: string, options: CliOptions = {}): Promise<CliResult> {
    return runProgram("bash", ["-c", `tsrun() { "${TSRUN}" "$@"; }\n${script}`], {
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(["rm", "--force", "--all"]);
    rmSync(this.base, { recursive: true, force: true });
  }
}
