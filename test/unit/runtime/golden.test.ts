/**
 * Whole plans as text, beside the configurations that they come from: what a change of the code does to
 * the kernel requests is seen in the change of these files. UPDATE_GOLDEN=1 writes them anew.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { printPlan } from "../../../src/plan/index.ts";
import { planOnAnyHost } from "../../support/any-host.ts";
import { fullConfig } from "../../support/full-config.ts";

const FOLDER = join(import.meta.dirname, "golden");

const NAMESPACES = ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
const PROCESS = { cwd: "/", args: ["/bin/true"], user: { uid: 0, gid: 0 } };
const ROOT = { path: "/roots/busybox" };
const PROC = { destination: "/proc", type: "proc", source: "proc" };
const DEV = {
  destination: "/dev",
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "mode=755"],
};
const PTS = { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance"] };

const MINIMAL = {
  ociVersion: "1.2.0",
  root: ROOT,
  process: PROCESS,
  mounts: [PROC],
  linux: { namespaces: NAMESPACES },
};

const CONFIGS: Readonly<Record<string, unknown>> = {
  minimal: MINIMAL,
  "read-only root, masks, limits": {
    ...MINIMAL,
    root: { ...ROOT, readonly: true },
    hostname: "box",
    process: {
      ...PROCESS,
      user: { uid: 1000, gid: 1000, additionalGids: [10], umask: 0o27 },
      noNewPrivileges: true,
      capabilities: { bounding: ["CAP_CHOWN"], permitted: [], effective: [], inheritable: [] },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 64, hard: 128 }],
    },
    linux: {
      namespaces: NAMESPACES,
      maskedPaths: ["/proc/kcore"],
      readonlyPaths: ["/proc/sys"],
      resources: { memory: { limit: 67_108_864 }, cpu: { quota: 50_000 }, pids: { limit: 20 } },
    },
  },
  "terminal in a user namespace": {
    ...MINIMAL,
    process: { ...PROCESS, terminal: true, consoleSize: { height: 24, width: 80 } },
    mounts: [
      PROC,
      DEV,
      PTS,
      { destination: "/data", source: "/host/dir", options: ["rbind", "ro"] },
    ],
    linux: {
      namespaces: [...NAMESPACES, { type: "user" }],
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    },
  },
  "every field": withoutRdt(),
};

/** The host that the plans are for has no resource director. */
function withoutRdt(): unknown {
  const config = fullConfig();
  const { intelRdt: _, ...linux } = config.linux;
  return { ...config, linux };
}

describe("the plan of a configuration:", () => {
  for (const [name, config] of Object.entries(CONFIGS)) {
    it(name, () => {
      const path = join(FOLDER, `${name.replaceAll(/\W+/g, "-")}.txt`);
      const text = printPlan(planOnAnyHost(JSON.stringify(config)));
      if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
      assert.equal(text, readFileSync(path, "utf8"));
    });
  }
});
