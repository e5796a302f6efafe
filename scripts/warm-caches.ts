/**
 * Keeps what V8 compiles of the command lines: each frequent command is run once, and has a cache of
 * the functions that it calls; see cli-entry.cjs. To read what other commands call took a tenth of a
 * short command's time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBusyboxRoot } from "./busybox-root.ts";

const CODE_CACHE = join(import.meta.dirname, "code-cache.cjs");
const BUSYBOX = "/bin/busybox";
const TIMEOUT_MS = 20_000;

/** The commands with a cache of their own, in an order in which they can be run. */
export const CLI_COMMANDS: readonly string[] = [
  ...["run", "create", "start", "ps", "inspect", "exec", "logs", "kill", "wait", "rm"],
];
export const OCI_COMMANDS: readonly string[] = [
  ...["create", "start", "state", "exec", "pause", "resume", "kill", "delete"],
];

/** V8 takes a cache only under the flags that it was made with: those of bin/tsrun-oci. */
const OCI_FLAGS = ["--no-rehash-snapshot", "--min-semi-space-size=4"];

export function warmCaches(dist: string): void {
  const folder = mkdtempSync(join(tmpdir(), "tsrun-build-"));
  try {
    const rootfs = join(folder, "rootfs");
    mkdirSync(rootfs);
    // On a host where no container can run, what a command called until it failed is kept as well.
    if (process.getuid?.() === 0 && existsSync(BUSYBOX))
      createBusyboxRoot({ busybox: BUSYBOX, folder: rootfs });
    warmCommandLine(dist, folder);
    warmRuntime(dist, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a command of the bundle, adding what was compiled to `cache`, a file's name in dist/. */
function keep(
  { dist, bundle, flags = [] }: { dist: string; bundle: string; flags?: readonly string[] },
  cache: string,
  words: readonly string[],
): boolean {
  const argv = [...flags, CODE_CACHE, join(dist, `${bundle}.cjs`), join(dist, cache), ...words];
  const { status } = spawnSync(process.execPath, argv, { stdio: "ignore", timeout: TIMEOUT_MS });
  return status === 0;
}

function warmCommandLine(dist: string, folder: string): void {
  const bundle = { dist, bundle: "tsrun" };
  const own = ["--root", join(folder, "store"), "--run-root", join(folder, "run")];
  const isolated = ["--network", "none", "--rootfs", join(folder, "rootfs")];
  for (const words of [["version"], ["ps"], ["plan", ...isolated, "true"]]) {
    if (!keep(bundle, "tsrun.cache", [...own, ...words]))
      throw new Error(`tsrun ${words.join(" ")} failed`);
  }
  const operands = new Map([
    ["run", ["--rm", ...isolated, "true"]],
    ["create", ["--name", "warm", ...isolated, "sleep", "60"]],
    ["exec", ["warm", "true"]],
    ["ps", []],
    ["rm", ["--force", "warm"]],
  ]);
  for (const command of CLI_COMMANDS) {
    const words = operands.get(command) ?? ["warm"];
    keep(bundle, `tsrun.${command}.cache`, [...own, command, ...words]);
  }
}

/** A container's whole life, as an engine leads it. */
function warmRuntime(dist: string, folder: string): void {
  const bundle = { dist, bundle: "tsrun-oci", flags: OCI_FLAGS };
  const own = ["--root", join(folder, "oci")];
  const id = `build-${process.pid}`;
  keep(bundle, "tsrun-oci.cache", [...own, "list"]);
  keep(bundle, "tsrun-oci.cache", [...own, "spec", "--bundle", folder]);
  const file = join(folder, "config.json");
  const spec = JSON.parse(readFileSync(file, "utf8"));
  Object.assign(spec.process, { terminal: false, args: ["sleep", "60"] });
  writeFileSync(file, JSON.stringify(spec));
  const operands = new Map([
    ["create", ["--bundle", folder, id]],
    ["exec", [id, "true"]],
    ["kill", [id, "KILL"]],
    ["delete", ["--force", id]],
  ]);
  for (const command of OCI_COMMANDS) {
    const words = operands.get(command) ?? [id];
    keep(bundle, `tsrun-oci.${command}.cache`, [...own, command, ...words]);
  }
}
