/**
 * Real root file systems for the tests: busybox (2 MB, static) and Debian 12 with python3 and perl.
 * They are made once per machine (see cache.ts) and are for reading: a test that writes puts an
 * overlay on top or copies busybox's.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createBusyboxRoot } from "../../scripts/busybox-root.ts";
import { cachedFolder } from "./cache.ts";

const BUSYBOX = "/bin/busybox";
const DEBIAN_SUITE = "bookworm";
const DEBIAN_PACKAGES = ["python3", "perl-base"];

/** Why there is no busybox root here; undefined when there is one. */
export function busyboxRootUnavailable(): string | undefined {
  const { error } = spawnSync(BUSYBOX, ["--list"], { stdio: "ignore" });
  return error === undefined ? undefined : "needs busybox-static";
}

/** The folder of a root file system with all of busybox's commands. */
export function busyboxRoot(): Promise<string> {
  const version = createHash("sha256").update(readFileSync(BUSYBOX)).digest("hex").slice(0, 12);
  return cachedFolder(`roots/busybox-${version}`, async (folder) => {
    createBusyboxRoot({ busybox: BUSYBOX, folder });
  });
}

/** Why there is no Debian root here; undefined when there is one or it can be made. */
export function debianRootUnavailable(): string | undefined {
  const { error } = spawnSync("mmdebstrap", ["--version"], { stdio: "ignore" });
  return error === undefined ? undefined : "needs mmdebstrap";
}

/** The folder of a small Debian 12 with python3 and perl; the first call on a machine takes a minute. */
export function debianRoot(): Promise<string> {
  return debianTree(DEBIAN_SUITE, DEBIAN_PACKAGES);
}

const ENGINE_PACKAGES = [
  ...["podman", "buildah", "conmon", "netavark", "containerd", "docker.io", "docker-cli"],
  ...["runc", "crun", "iptables", "iproute2", "procps", "util-linux", "python3", "libseccomp2"],
];

/** The folder of a Debian 13 with podman 5, containerd 1.7 and Docker 26; the first call takes some minutes. */
export function debian13Root(): Promise<string> {
  return debianTree("trixie", ENGINE_PACKAGES, "engines");
}

/** The name stands for the packages where they are many. */
function debianTree(
  suite: string,
  packages: readonly string[],
  name = packages.join("-"),
): Promise<string> {
  return cachedFolder(`roots/debian-${suite}-${name}`, async (folder) => {
    const options = [
      "--variant=minbase",
      `--include=${packages.join(",")}`,
      "--mode=root",
      "--quiet",
      // Documentation and caches are two thirds of the files, and no test reads them.
      "--dpkgopt=path-exclude=/usr/share/doc/*",
      "--dpkgopt=path-exclude=/usr/share/man/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
      ...proxyOptions(),
    ];
    const { status, error, stderr } = spawnSync(
      "mmdebstrap",
      [...options, suite, folder, debianMirror()],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    );
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`mmdebstrap failed (${status}): ${stderr}`);
  });
}

/** The mirror that this machine's own apt uses for Debian's main section. */
function debianMirror(): string {
  const format = "$(LABEL) $(COMPONENT) $(REPO_URI)";
  const { stdout, error } = spawnSync(
    "apt-get",
    ["indextargets", "--format", format, "Created-By: Packages"],
    { encoding: "utf8" },
  );
  if (error !== undefined) throw error;
  const uri = /^Debian main (\S+)$/m.exec(stdout)?.[1];
  if (uri === undefined) {
    throw new Error("apt has no list of Debian's main section (run apt-get update first)");
  }
  return uri;
}

/** mmdebstrap's apt does not read this machine's apt.conf. */
function proxyOptions(): string[] {
  const { stdout } = spawnSync("apt-config", ["dump", "Acquire::http::Proxy"], {
    encoding: "utf8",
  });
  return (stdout ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `--aptopt=${line}`);
}
