// @ts-check
/**
 * The Debian packages that tsrun needs, and the file by which each is known to be there: only what
 * is missing is installed. Plain JavaScript for the Node of the machine, with no dependency: it runs
 * before `npm install`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Package
 * @property {string} name as apt knows it
 * @property {string} file a command on the PATH, or an absolute path in which `*` stands for any
 *   part of one folder's name
 * @property {string} purpose
 */

/** To build tsrun and run a container. @type {readonly Package[]} */
export const RUN_PACKAGES = [
  { name: "gcc", file: "gcc", purpose: "builds tsrun-stage" },
  { name: "make", file: "make", purpose: "builds tsrun-stage" },
  { name: "libc6-dev", file: "/usr/include/stdio.h", purpose: "builds tsrun-stage" },
  { name: "linux-libc-dev", file: "/usr/include/linux/mount.h", purpose: "builds tsrun-stage" },
  { name: "musl-tools", file: "musl-gcc", purpose: "builds tsrun-stage, static and small" },
  { name: "libseccomp2", file: "/usr/lib/*-linux-gnu/libseccomp.so.2", purpose: "seccomp filters" },
  { name: "busybox-static", file: "busybox", purpose: "the image of the first container" },
];

/** To test it. @type {readonly Package[]} */
export const TEST_PACKAGES = [
  ...RUN_PACKAGES,
  { name: "qemu-system-x86", file: "qemu-system-x86_64", purpose: "the VM with all of cgroup v2" },
  { name: "qemu-system-common", file: "/usr/lib/qemu/virtiofsd", purpose: "the VM's file system" },
  { name: "kmod", file: "depmod", purpose: "the VM's kernel modules" },
  { name: "xz-utils", file: "xz", purpose: "the VM's kernel modules" },
  { name: "e2fsprogs", file: "mkfs.ext4", purpose: "the VM's disk" },
  { name: "xfsprogs", file: "mkfs.xfs", purpose: "disks with project quotas" },
  { name: "mmdebstrap", file: "mmdebstrap", purpose: "a Debian root file system" },
  {
    name: "runc",
    file: "runc",
    purpose: "the peer that conformance tests and the bench compare with",
  },
  {
    name: "crun",
    file: "crun",
    purpose: "the peer that conformance tests and the bench compare with",
  },
  { name: "podman", file: "podman", purpose: "an engine over tsrun-oci" },
  { name: "systemd", file: "/lib/systemd/systemd", purpose: "units for containers" },
  { name: "dbus", file: "dbus-daemon", purpose: "the bus to systemd" },
  { name: "conmon", file: "conmon", purpose: "podman's monitor" },
  { name: "netavark", file: "/usr/lib/podman/netavark", purpose: "podman's networks" },
  { name: "buildah", file: "buildah", purpose: "an engine over tsrun-oci" },
  { name: "containerd", file: "containerd", purpose: "an engine over tsrun-oci" },
  {
    name: "containernetworking-plugins",
    file: "/usr/lib/cni/bridge",
    purpose: "the network of Kubernetes' pods",
  },
  { name: "docker.io", file: "dockerd", purpose: "an engine over tsrun-oci" },
  { name: "iptables", file: "iptables", purpose: "Docker's networks" },
  { name: "clang", file: "clang", purpose: "fuzzes the plan decoder" },
  {
    name: "libclang-rt-14-dev",
    file: "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a",
    purpose: "fuzzes the plan decoder",
  },
  { name: "valgrind", file: "valgrind", purpose: "native tests" },
  { name: "tmux", file: "tmux", purpose: "terminal tests" },
  { name: "strace", file: "strace", purpose: "tests of system calls" },
  { name: "iproute2", file: "ip", purpose: "network namespaces in tests" },
  { name: "procps", file: "ps", purpose: "processes in tests" },
  { name: "python3", file: "python3", purpose: "terminal tests" },
  { name: "docker-registry", file: "docker-registry", purpose: "a registry on loopback" },
  { name: "apache2-utils", file: "htpasswd", purpose: "a registry with passwords" },
  { name: "openssl", file: "openssl", purpose: "a registry with TLS" },
  { name: "skopeo", file: "skopeo", purpose: "a peer that images are exchanged with" },
  { name: "umoci", file: "umoci", purpose: "a peer that images are exchanged with" },
  { name: "podman", file: "podman", purpose: "a peer that images are exchanged with" },
  { name: "buildah", file: "buildah", purpose: "a peer that images are exchanged with" },
  { name: "zstd", file: "zstd", purpose: "compressed archives" },
  { name: "bzip2", file: "bzip2", purpose: "archives that a build unpacks" },
  { name: "man-db", file: "man", purpose: "the manual page's test" },
  { name: "zsh", file: "zsh", purpose: "the completion's test" },
  { name: "fish", file: "fish", purpose: "the completion's test" },
];

/**
 * @param {readonly Package[]} packages
 * @returns {Package[]}
 */
export function missingPackages(packages) {
  return packages.filter(({ file }) => !isThere(file));
}

/**
 * Installs what is missing. Throws an Error with a message for the user when it cannot.
 * @param {readonly Package[]} packages
 * @param {(line: string) => void} say
 */
export function installMissing(packages, say) {
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const list = missing.map(({ name, purpose }) => `  ${name.padEnd(20)}${purpose}`).join("\n");
  if (process.getuid?.() !== 0) {
    throw new Error(`these Debian packages are missing, and only root can install them:\n${list}`);
  }
  if (!isThere("apt-get")) {
    throw new Error(`these Debian packages are missing, and there is no apt-get here:\n${list}`);
  }
  say(`installing ${names.join(" ")}`);
  updatePackageLists();
  apt(["install", "-y", "-qq", "--no-install-recommends", ...names]);
  const still = missingPackages(packages).map(({ name, file }) => `${name} (${file})`);
  if (still.length > 0) throw new Error(`apt-get installed, yet missing are: ${still.join(", ")}`);
}

export function updatePackageLists() {
  apt(["update", "-qq"]);
}

/** @param {readonly string[]} args */
function apt(args) {
  const { status, signal, error, stdout, stderr } = spawnSync("apt-get", args, {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (error !== undefined) throw error;
  if (status === 0) return;
  throw new Error(`apt-get ${args.join(" ")} ended with ${signal ?? status}:\n${stdout}${stderr}`);
}

/** @param {string} file */
function isThere(file) {
  if (file.startsWith("/")) return matches("/", file.slice(1).split("/"));
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => folder !== "" && existsSync(join(folder, file)));
}

/**
 * @param {string} folder
 * @param {readonly string[]} parts
 * @returns {boolean}
 */
function matches(folder, [part, ...rest]) {
  if (part === undefined) return true;
  if (!part.includes("*")) {
    const path = join(folder, part);
    return existsSync(path) && matches(path, rest);
  }
  if (!existsSync(folder)) return false;
  const pattern = new RegExp(`^${part.split("*").map(escapeRegExp).join(".*")}$`);
  return readdirSync(folder).some(
    (name) => pattern.test(name) && matches(join(folder, name), rest),
  );
}

/** @param {string} text */
function escapeRegExp(text) {
  return text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
}
