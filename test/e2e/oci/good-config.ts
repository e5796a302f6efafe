import type { Json } from "../../support/mutate-json.ts";

export const CONTAINER_CGROUP = "container";

const CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_NET_BIND_SERVICE"];

/**
 * A config.json that this machine can run, with as many of its fields in use as go together; its program
 * does nothing. The bundle holds "rootfs" and "data".
 */
export function goodConfig({ userNamespace = false } = {}): Json {
  const namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup", "time"];
  const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  return {
    ociVersion: "1.2.0",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, umask: 0o027, additionalGids: [5] },
      args: ["sh", "-c", "true"],
      env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "EMPTY="],
      cwd: "/srv",
      capabilities: {
        ...{ bounding: [...CAPABILITIES], effective: [...CAPABILITIES] },
        permitted: [...CAPABILITIES],
      },
      rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }],
      noNewPrivileges: true,
      oomScoreAdj: 500,
      ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
      scheduler: { policy: "SCHED_BATCH", nice: 19 },
    },
    root: { path: "rootfs", readonly: true },
    hostname: "box",
    domainname: "example.org",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      {
        ...{ destination: "/dev", type: "tmpfs", source: "tmpfs" },
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      {
        ...{ destination: "/dev/pts", type: "devpts", source: "devpts" },
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
      },
      { destination: "/run", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "size=64k"] },
      { destination: "/data", type: "bind", source: "data", options: ["rbind", "ro", "rprivate"] },
    ],
    hooks: {
      createRuntime: [{ path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 5 }],
      poststop: [{ path: "/bin/true", timeout: 5 }],
    },
    annotations: { "org.example.key": "value" },
    linux: {
      namespaces: [...namespaces, ...(userNamespace ? ["user"] : [])].map((type) => ({ type })),
      ...(userNamespace ? { uidMappings: ids, gidMappings: ids } : {}),
      timeOffsets: { boottime: { secs: 10, nanosecs: 5 } },
      devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 0o666 }],
      cgroupsPath: `/boxes/${CONTAINER_CGROUP}`,
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
        ],
        unified: { "cgroup.max.depth": "3" },
      },
      rootfsPropagation: "private",
      maskedPaths: ["/proc/kcore", "/masked"],
      readonlyPaths: ["/proc/sys"],
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: ["SCMP_ARCH_X86_64"],
        syscalls: [{ names: ["acct"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
      },
      sysctl: { "net.ipv4.ip_forward": "1" },
      personality: { domain: "LINUX" },
    },
  };
}
