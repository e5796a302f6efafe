/**
 * The engine as a value: where it keeps things. Nothing is created by opening it.
 */
import { createHash } from "node:crypto";
import { isAbsolute, join, normalize } from "node:path";
import { TsrunError } from "../base/errors.ts";
import { ownDirectories, type StandardDirectories } from "./own-directories.ts";
import type { ContainerId } from "./records.ts";

export interface Engine {
  /** Images, containers, names: survives a reboot. */
  readonly root: string;
  /** State, sockets, locks, the journal: does not. */
  readonly runRoot: string;
  /** Told of what a user should know and no command failed of. */
  readonly warn: (message: string) => void;
}

export interface EngineOptions {
  /** $TSRUN_ROOT, else /var/lib/tsrun; for others than root $XDG_DATA_HOME/tsrun or ~/.local/share/tsrun. */
  readonly root?: string;
  /**
   * $TSRUN_RUN_ROOT, else /run/tsrun for the default root, else a directory for that root alone. For
   * others than root it lies in $XDG_RUNTIME_DIR, or in the root where there is no such directory.
   */
  readonly runRoot?: string;
  readonly log?: (message: string) => void;
}

const OF_ROOT: StandardDirectories = {
  root: "/var/lib/tsrun",
  runRoot: "/run/tsrun",
  otherRunRoots: "/run/tsrun-roots",
};

/** Throws INVALID_ARGUMENT for a relative path. */
export function openEngine(options: EngineOptions = {}): Engine {
  const standard = process.geteuid?.() === 0 ? OF_ROOT : ownDirectories();
  const root = absolute("root", options.root ?? fromEnvironment("TSRUN_ROOT") ?? standard.root);
  const runRoot = options.runRoot ?? fromEnvironment("TSRUN_RUN_ROOT") ?? runRootOf(root, standard);
  return {
    root,
    runRoot: absolute("run root", runRoot),
    warn: options.log ?? (() => {}),
  };
}

/** Two roots never share a run root: container ids would be looked for in the wrong one. */
function runRootOf(root: string, standard: StandardDirectories): string {
  if (root === standard.root) return standard.runRoot;
  const digest = createHash("sha256").update(root).digest("hex");
  return join(standard.otherRunRoots, digest.slice(0, 16));
}

function fromEnvironment(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}

function absolute(what: string, path: string): string {
  if (isAbsolute(path)) return normalize(path).replace(/(?<=.)\/+$/, "");
  throw new TsrunError("INVALID_ARGUMENT", `the ${what} "${path}" is not an absolute path`, {
    hint: "Write the whole path, beginning with a slash.",
  });
}

/** Where everything of one container is; the layout is described in records.ts. */
export interface ContainerPaths {
  readonly dir: string;
  readonly config: string;
  readonly upper: string;
  readonly work: string;
  readonly log: string;
  readonly exit: string;
  readonly runDir: string;
  readonly state: string;
  /** hosts, resolv.conf … that are bound into the root. */
  readonly etc: Readonly<Record<EtcFile, string>>;
  /** The empty directory on which the root is assembled, in the container's own mount namespace. */
  readonly rootfs: string;
  readonly attachSocket: { readonly dir: string; readonly name: string };
}

export const ETC_FILES = ["hosts", "resolv.conf", "hostname", "containerenv"] as const;
export type EtcFile = (typeof ETC_FILES)[number];

export function containerPaths(engine: Engine, id: ContainerId): ContainerPaths {
  const dir = `${containersDirectory(engine)}/${id}`;
  const runDir = `${runContainersDirectory(engine)}/${id}`;
  return {
    dir,
    config: `${dir}/config.json`,
    upper: `${dir}/upper`,
    work: `${dir}/work`,
    log: `${dir}/container.log`,
    exit: `${dir}/exit.json`,
    runDir,
    state: `${runDir}/state.json`,
    etc: {
      hosts: `${runDir}/hosts`,
      "resolv.conf": `${runDir}/resolv.conf`,
      hostname: `${runDir}/hostname`,
      containerenv: `${runDir}/containerenv`,
    },
    rootfs: rootMountPoint(engine),
    attachSocket: { dir: runDir, name: "attach.sock" },
  };
}

export function containersDirectory(engine: Pick<Engine, "root">): string {
  return `${engine.root}/containers`;
}

/** Nothing is ever seen on it: each container mounts its root there in a mount namespace of its own. */
export function rootMountPoint(engine: Engine): string {
  return `${engine.runRoot}/rootfs`;
}

export function mountPointsDirectory(engine: Engine): string {
  return `${engine.root}/mount-points`;
}

export function namesDirectory(engine: Engine): string {
  return `${engine.root}/names`;
}

export function runContainersDirectory(engine: Engine): string {
  return `${engine.runRoot}/containers`;
}

export function locksDirectory(engine: Engine): string {
  return `${engine.runRoot}/locks`;
}

export function journalPath(engine: Engine): string {
  return `${engine.runRoot}/events.jsonl`;
}
