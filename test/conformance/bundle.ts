/**
 * A bundle on disk: busybox's root, copied so that a case may change it, and a configuration that
 * is the base one with the values that a case sets.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A value of JSON. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };
/**
 * JSON path → value: `process.cwd`; `mounts+` appends to a list, `linux.namespaces-user` takes the
 * member of that `type` (or a mount of that `destination`) away; undefined removes a property.
 */
export type Changes = Readonly<Record<string, Json | undefined>>;

type Tree = { [key: string]: unknown };

export class Bundle {
  readonly id: string;
  readonly folder: string;
  readonly #config: Tree;

  constructor(options: {
    readonly id: string;
    readonly folder: string;
    readonly rootfs: string;
    readonly cgroupsPath: string;
  }) {
    this.id = options.id;
    this.folder = options.folder;
    mkdirSync(this.folder);
    cpSync(options.rootfs, this.root(), { recursive: true, verbatimSymlinks: true });
    this.#config = structuredClone(baseConfig(options.cgroupsPath)) as Tree;
  }

  /** A path in the container's root, as the host sees it. */
  root(path = ""): string {
    return join(this.folder, "rootfs", path);
  }

  /** A path in the bundle. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** What the container and create wrote, if it was made with create. */
  output(): string {
    return readFileSync(this.path("output"), "utf8");
  }

  /** Changes the configuration and writes it; its last state counts. */
  write(changes: Changes = {}): void {
    for (const [path, value] of Object.entries(changes)) set(this.#config, path, value);
    writeFileSync(this.path("config.json"), JSON.stringify(this.#config));
  }
}

function set(config: Tree, path: string, value: Json | undefined): void {
  const parents = path.split(".");
  const last = parents.pop() ?? "";
  const node = parents.reduce(below, config);
  const dash = last.indexOf("-");
  const name = dash < 0 ? last : last.slice(0, dash);
  if (dash > 0) {
    const without = last.slice(dash + 1);
    const list = node[name] as { type?: string; destination?: string }[];
    node[name] = list.filter(({ type, destination }) => (destination ?? type) !== without);
  } else if (name.endsWith("+")) {
    const list = name.slice(0, -1);
    node[list] = [...((node[list] as unknown[]) ?? []), value];
  } else if (value === undefined) {
    delete node[name];
  } else {
    node[name] = value;
  }
}

function below(node: Tree, key: string): Tree {
  const child = (node[key] as Tree | undefined) ?? {};
  node[key] = child;
  return child;
}

const CAPABILITIES = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD"],
  ...["CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"],
];

/** What the specification calls the Linux environment's defaults, with every usual namespace. */
function baseConfig(cgroupsPath: string) {
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["sh", "-c", "true"],
      env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
      },
      noNewPrivileges: true,
    },
    root: { path: "rootfs" },
    hostname: "conformance",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
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
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
      },
      {
        destination: "/dev/mqueue",
        type: "mqueue",
        source: "mqueue",
        options: ["nosuid", "noexec", "nodev"],
      },
      {
        destination: "/sys",
        type: "sysfs",
        source: "sysfs",
        options: ["nosuid", "noexec", "nodev", "ro"],
      },
    ],
    linux: {
      cgroupsPath,
      namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
    },
  };
}
