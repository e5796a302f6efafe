/** A private host whose first process is systemd, and tsrun-oci on it with --systemd-cgroup. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultSpec } from "../../src/oci/default-spec.ts";
import type { CliResult } from "../support/cli.ts";
import type { Config } from "../support/oci.ts";
import { busyboxRoot } from "../support/roots.ts";
import { PrivateHost, RUNTIME, until } from "./private-host.ts";

const INIT = join(import.meta.dirname, "systemd/init.sh");

export class SystemdHost implements AsyncDisposable {
  readonly host: PrivateHost;
  /** Of tsrun-oci's calls. */
  env: Readonly<Record<string, string>> = {};
  #calls = 0;

  private constructor(host: PrivateHost) {
    this.host = host;
  }

  static async open(): Promise<SystemdHost> {
    const host = await PrivateHost.open([INIT, "/run/systemd.log"]);
    await until("systemd runs", async () => {
      const { stdout } = await host.run(["systemctl", "is-system-running"]);
      return /^(running|degraded)$/m.test(stdout);
    });
    return new SystemdHost(host);
  }

  /** A bundle with busybox that sleeps. */
  async bundle(name: string, change: (config: Config) => void = () => {}): Promise<string> {
    const path = this.host.file(name);
    mkdirSync(path, { recursive: true });
    const config = defaultSpec() as Config;
    config.root.path = await busyboxRoot();
    config.process.terminal = false;
    config.process.args = ["sleep", "1000"];
    config.linux.cgroupsPath = `test.slice:pre:${name}`;
    config.linux.resources = {};
    change(config);
    writeFileSync(join(path, "config.json"), JSON.stringify(config));
    return path;
  }

  argv(...args: readonly string[]): readonly string[] {
    return [RUNTIME, "--systemd-cgroup", `--root=${this.host.file("records")}`, ...args];
  }

  /** Its output goes to a file: a container keeps what it was given. */
  async call(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CliResult> {
    this.#calls += 1;
    const output = this.host.file(`${this.#calls}.out`);
    const script = `exec "$@" < /dev/null > ${output} 2>&1`;
    const argv = ["sh", "-c", script, "sh", ...this.argv(...args)];
    const result = await this.host.run(argv, { env: { ...this.env, ...env } });
    return { ...result, stdout: readFileSync(output, "utf8") };
  }

  /** What it says; it has to succeed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { status, stdout } = await this.call(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stdout}`);
    return stdout;
  }

  async create(name: string, change?: (config: Config) => void): Promise<void> {
    await this.ok("create", `--bundle=${await this.bundle(name, change)}`, name);
  }

  /** Properties of a unit, as systemctl(1) shows them. */
  async show(unit: string, ...names: readonly string[]): Promise<Record<string, string>> {
    const { stdout } = await this.host.run([
      "systemctl",
      "show",
      unit,
      ...names.map((n) => `-p${n}`),
    ]);
    return Object.fromEntries(
      stdout
        .trim()
        .split("\n")
        .map((line) => {
          const at = line.indexOf("=");
          return [line.slice(0, at), line.slice(at + 1)];
        }),
    );
  }

  /** Units that systemd knows, failed ones too. */
  async units(pattern: string): Promise<string> {
    const list = ["systemctl", "list-units", "--all", "--plain", "--no-legend", pattern];
    return (await this.host.run(list)).stdout;
  }

  /** A file of a unit's cgroup. */
  read(cgroup: string, file: string): string {
    return readFileSync(this.host.cgroupFile(`${cgroup}/${file}`), "utf8").trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
  }
}
