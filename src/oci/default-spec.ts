/** A config.json to begin with, as `spec` writes it: a shell in a new container. */
import { OCI_VERSION } from "./state.ts";

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/** With `rootless`, for this host user alone. */
export function defaultSpec(rootless?: { readonly uid: number; readonly gid: number }): unknown {
  const map = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "tsrun",
    mounts: mounts(rootless !== undefined),
    linux: {
      ...(rootless
        ? { uidMappings: map(rootless.uid), gidMappings: map(rootless.gid) }
        : { resources: { devices: [{ allow: false, access: "rwm" }] } }),
      namespaces: [
        ...["pid", ...(rootless ? [] : ["network"]), "ipc", "uts", "mount", "cgroup"],
        ...(rootless ? ["user"] : []),
      ].map((type) => ({ type })),
      maskedPaths: [
        ...["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats"],
        ...["/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware"],
        "/proc/scsi",
      ],
      readonlyPaths: [
        ...["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      ],
    },
  };
}

function mounts(rootless: boolean): readonly unknown[] {
  const mount = (destination: string, type: string, source: string, ...options: string[]) => ({
    ...{ destination, type, source },
    ...(options.length > 0 ? { options } : {}),
  });
  const still = ["nosuid", "noexec", "nodev"];
  const pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
  return [
    mount("/proc", "proc", "proc"),
    mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    mount("/dev/pts", "devpts", "devpts", ...pts, ...(rootless ? [] : ["gid=5"])),
    mount("/dev/shm", "tmpfs", "shm", ...still, "mode=1777", "size=65536k"),
    mount("/dev/mqueue", "mqueue", "mqueue", ...still),
    rootless
      ? mount("/sys", "none", "/sys", "rbind", ...still, "ro")
      : mount("/sys", "sysfs", "sysfs", ...still, "ro"),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", ...still, "relatime", "ro"),
  ];
}
