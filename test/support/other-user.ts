/**
 * A user without privileges, with a home and a store of his own. He is in /etc/passwd, /etc/subuid and
 * /etc/subgid only for his own processes: each of them has a private mount namespace.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CliOptions, type CliResult, runProgram, TSRUN } from "./cli.ts";

const FIRST_USER = 54_000;
const FIRST_UID = 700_000;
const FIRST_GID = 800_000;
const IDS = 65_536;

/** Why there can be none here; undefined when there can. */
export function otherUserUnavailable(): string | undefined {
  const programs = ["unshare", "setpriv", "nsenter", "newuidmap"];
  const missing = programs.filter(
    (program) => spawnSync(program, ["--help"], { stdio: "ignore" }).error !== undefined,
  );
  if (missing.length > 0) return `needs ${missing.join(", ")}`;
  const userOnly = ["--reuid", String(FIRST_USER), "--clear-groups", "unshare", "-U", "true"];
  const { status } = spawnSync("setpriv", userOnly, { stdio: "ignore" });
  return status === 0 ? undefined : "needs user namespaces for users without privileges";
}

export interface OtherUserOptions {
  /** Whether /etc/subuid and /etc/subgid give him ids. */
  readonly ids?: boolean;
  /** Whether he finds newuidmap and newgidmap. */
  readonly newuidmap?: boolean;
}

const FILES = ["passwd", "group", "subuid", "subgid"] as const;
/** What bin/tsrun needs of PATH, and the tests. */
const PROGRAMS = ["sh", "env", "nsenter", "cat", "id"];

export class OtherUser implements AsyncDisposable {
  /** Nobody else's: test files run beside each other. */
  readonly uid = FIRST_USER + (process.pid % 5000);
  readonly home: string;
  /** $XDG_RUNTIME_DIR */
  readonly runtime: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #base: string;
  readonly #path: string | undefined;

  constructor({ ids = true, newuidmap = true }: OtherUserOptions = {}) {
    this.#base = mkdtempSync(join(tmpdir(), "tsrun-other-user-"));
    this.home = join(this.#base, "home");
    this.runtime = join(this.#base, "runtime");
    const programs = join(this.#base, "bin");
    chmodSync(this.#base, 0o755);
    mkdirSync(programs);
    for (const name of PROGRAMS) symlinkSync(which(name), join(programs, name));
    for (const directory of [this.home, this.runtime]) {
      mkdirSync(directory, { mode: 0o700 });
      chownSync(directory, this.uid, this.uid);
    }
    this.#writeFiles(ids);
    this.env = {
      HOME: this.home,
      USER: "carol",
      XDG_RUNTIME_DIR: this.runtime,
      NO_COLOR: "1",
    };
    this.#path = newuidmap ? undefined : programs;
  }

  get root(): string {
    return join(this.home, ".local/share/tsrun");
  }

  /** A path in the home. */
  file(name: string): string {
    return join(this.home, name);
  }

  /** argv of a program as this user. */
  argv(command: string, ...args: readonly string[]): readonly [string, ...string[]] {
    const mounts = FILES.map((name) => `mount --bind "$0/${name}" /etc/${name}`).join(" && ");
    const user = `--reuid ${this.uid} --regid ${this.uid} --clear-groups`;
    const script = `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${mounts} && cd "$0/home" && exec setpriv ${user} "$@"`;
    // The PATH is his, and not that of the programs which make him.
    const path = this.#path ?? process.env["PATH"];
    const his = ["/usr/bin/env", `PATH=${path}`, command, ...args];
    return [
      "/usr/bin/unshare",
      ...["--mount", "--propagation", "private", "/bin/sh", "-c", script, this.#base, ...his],
    ];
  }

  /** Runs a program as this user, in his home. */
  program(command: string, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const [first, ...rest] = this.argv(command, ...args);
    const env = { ...this.env, ...options.env };
    return runProgram(first, rest, { ...options, env });
  }

  run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    return this.program(TSRUN, args, options);
  }

  /** stdout of a command that has to succeed, without its last line end. */
  async ok(...args: readonly string[]): Promise<string> {
    const { status, signal, stdout, stderr } = await this.run(args);
    if (status !== 0) {
      throw new Error(`tsrun ${args.join(" ")} ended with ${signal ?? status}: ${stderr}${stdout}`);
    }
    return stdout.replace(/\n$/, "");
  }

  [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#base, { recursive: true, force: true });
    return Promise.resolve();
  }

  #writeFiles(ids: boolean): void {
    const lines = {
      passwd: `${readFileSync("/etc/passwd", "utf8")}carol:x:${this.uid}:${this.uid}::${this.home}:/bin/sh\n`,
      group: `${readFileSync("/etc/group", "utf8")}carol:x:${this.uid}:\n`,
      subuid: ids ? `carol:${FIRST_UID}:${IDS}\n` : "",
      subgid: ids ? `carol:${FIRST_GID}:${IDS}\n` : "",
    };
    for (const name of FILES) writeFileSync(join(this.#base, name), lines[name]);
  }
}

function which(program: string): string {
  return execFileSync("/bin/sh", ["-c", 'command -v "$0"', program], { encoding: "utf8" }).trim();
}
