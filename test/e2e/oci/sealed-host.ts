/**
 * A private host on which a runtime may do whatever a hostile configuration makes it do: of the machine's
 * files it can write to none, of its processes it sees none. What it left is there to compare.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { PrivateHost, RUNTIME } from "../../engines/private-host.ts";
import type { CliResult } from "../../support/cli.ts";
import type { Json } from "../../support/mutate-json.ts";
import { busyboxRoot } from "../../support/roots.ts";
import { CONTAINER_CGROUP } from "./good-config.ts";

/** A call that takes longer hangs. */
const TIMEOUT = "60s";

/** Its own file systems stay writable; the rest, whose files are the machine's, does not. */
const SEAL = `
mount --bind "$1" "$1"
cut -d' ' -f5 /proc/self/mountinfo | while read -r point; do
  case $point in
    "$1" | /proc | /proc/* | /run | /run/* | /var/lib | /sys/fs/cgroup) ;;
    *) mount -o remount,bind,ro "$point" ;;
  esac
done
`;

export interface HostileBundle {
  readonly id: string;
  readonly folder: string;
}

export class SealedHost implements AsyncDisposable {
  /** A directory of the host's that a bundle may aim at: it has to stay as it is. */
  readonly victim: string;
  readonly #host: PrivateHost;
  readonly #clean: readonly string[];
  #bundles = 0;

  private constructor(host: PrivateHost) {
    this.#host = host;
    chmodSync(host.base, 0o755);
    this.victim = host.file("victim");
    mkdirSync(this.victim);
    writeFileSync(join(this.victim, "secret"), "the host's");
    mkdirSync(host.file("state"));
    this.#clean = this.#left();
  }

  static async open(): Promise<SealedHost> {
    const host = await PrivateHost.open();
    try {
      const { status, stderr } = await host.run(["sh", "-euc", SEAL, "sh", host.base]);
      if (status !== 0) throw new Error(`cannot seal the host: ${stderr}`);
      return new SealedHost(host);
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A bundle with busybox's root, a directory "data" and a configuration. */
  async bundle(config: Json): Promise<HostileBundle> {
    this.#bundles += 1;
    const id = `c${this.#bundles}`;
    const folder = this.#host.file(id);
    mkdirSync(join(folder, "data"), { recursive: true });
    const rootfs = join(folder, "rootfs");
    cpSync(await busyboxRoot(), rootfs, { recursive: true, verbatimSymlinks: true });
    // Who is root in a user namespace only can make none.
    for (const mountPoint of ["data", "srv"]) mkdirSync(join(rootfs, mountPoint));
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    return { id, folder };
  }

  /** One that hangs is ended by SIGKILL, and so has no status. */
  run(argv: readonly string[]): Promise<CliResult> {
    return this.#host.run(["timeout", "--signal=KILL", TIMEOUT, ...argv]);
  }

  /** Calls the runtime, with a directory for its records. */
  call(...args: readonly string[]): Promise<CliResult> {
    return this.run([RUNTIME, "--root", this.#host.file("state"), ...args]);
  }

  /** "create", with a file for the standard streams, which the container keeps. */
  create({ id, folder }: HostileBundle): Promise<CliResult> {
    const argv = ["--root", this.#host.file("state"), "create", "--bundle", folder, id];
    return this.run(["sh", "-c", 'exec "$@" > "$0" 2>&1', `${folder}.out`, RUNTIME, ...argv]);
  }

  /** It ended with a status and, if it failed, in words: not by a signal, nor as a bug is told. */
  assertNoCrash({ status, signal, stderr }: CliResult, what: string): void {
    const shown = `${stderr.slice(0, 3000)}\nof ${what.slice(0, 6000)}`;
    assert.notEqual(status, null, `ended by ${signal}: ${shown}`);
    assert.doesNotMatch(stderr, /(\\n|\n)\s+at .*:\d+:\d+/, `crashed: ${shown}`);
  }

  /** Nor is anything of it there any more, or changed; the kernel ends processes a moment later. */
  async assertHarmless(result: CliResult, what: string): Promise<void> {
    this.assertNoCrash(result, what);
    const shown = `${result.stderr.slice(0, 3000)}\nof ${what.slice(0, 6000)}`;
    for (let wait = 0; wait < 100 && !isDeepStrictEqual(this.#left(), this.#clean); wait += 1) {
      await sleep(50);
    }
    assert.deepEqual(this.#left(), this.#clean, `left something: ${shown}`);
    assert.deepEqual(readdirSync(this.victim), ["secret"], shown);
    assert.equal(readFileSync(join(this.victim, "secret"), "utf8"), "the host's", shown);
  }

  /**
   * Everything that a container may leave: mounts, its cgroup, processes, records. One line each. What is
   * above a container's cgroup stays, as runc leaves it: it is shared. Here it is cleared away.
   */
  #left(): string[] {
    const mounts = readFileSync(`/proc/${this.#host.pid}/mountinfo`, "utf8").trimEnd().split("\n");
    const top = this.#host.cgroupFile("");
    const cgroups = cgroupsBelow(top).filter((path) => path === top || !removeParent(path));
    return [
      ...mounts.map((line) => `mount ${line.split(" ").slice(3).join(" ")}`),
      ...cgroups.map((path) => `cgroup ${path}`),
      ...cgroups
        .flatMap((path) => processesIn(path))
        .map((pid) => `process ${pid} ${commandOf(pid)}`),
      ...readdirSync(this.#host.file("state")).map((name) => `record ${name}`),
    ].sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }
}

/** Whether it was a cgroup without processes, and not one that a good configuration names. */
function removeParent(path: string): boolean {
  if (basename(path) === CONTAINER_CGROUP || processesIn(path).length > 0) return false;
  rmdirSync(path);
  return true;
}

/** The deepest first. */
function cgroupsBelow(folder: string): string[] {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  return [...folders.flatMap(({ name }) => cgroupsBelow(join(folder, name))), folder];
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch (error) {
    return String(error); // it has just ended
  }
}

function processesIn(cgroup: string): string[] {
  const text = readFileSync(join(cgroup, "cgroup.procs"), "utf8");
  return text.split("\n").filter((pid) => pid !== "");
}
