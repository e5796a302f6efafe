import { existsSync } from "node:fs";
import { CAPABILITIES, mountOptionNames, SECCOMP_ACTION_NAMES } from "../../runtime/index.ts";
import type { CommandModule } from "../command.ts";
import { print } from "../print.ts";
import { OCI_VERSION } from "../state.ts";
import { packageVersion } from "../version.ts";

export const run: CommandModule["run"] = () => {
  print(`${JSON.stringify(features(), undefined, 4)}\n`);
  return 0;
};

/** OCI features.md. What depends on the kernel is what tsrun would do where the kernel can. */
function features() {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks: [
      ...[
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
      ],
    ],
    mountOptions: mountOptionNames(),
    linux: {
      namespaces: ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
      capabilities: CAPABILITIES,
      cgroup: { v1: false, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true,
        actions: [...SECCOMP_ACTION_NAMES].sort(),
        operators: OPERATORS,
        archs: ARCHITECTURES,
        knownFlags: SECCOMP_FLAGS,
        supportedFlags: SECCOMP_FLAGS,
      },
      apparmor: { enabled: existsSync("/sys/kernel/security/apparmor") },
      selinux: { enabled: existsSync("/sys/fs/selinux/enforce") },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
    },
    annotations: {
      "org.opencontainers.runc.checkpoint.enabled": "false",
      "io.github.tsrun.version": packageVersion(),
    },
  };
}

/** OCI config-linux.md, "Seccomp". */
const OPERATORS = ["EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"].map(
  (name) => `SCMP_CMP_${name}`,
);
const ARCHITECTURES = ["AARCH64", "ARM", "X32", "X86", "X86_64"].map((name) => `SCMP_ARCH_${name}`);
const SECCOMP_FLAGS = ["LOG", "SPEC_ALLOW", "TSYNC", "WAIT_KILLABLE_RECV"].map(
  (name) => `SECCOMP_FILTER_FLAG_${name}`,
);
