/**
 * A virtual machine with every cgroup v2 controller, for what the developer's machine may lack.
 *
 * QEMU boots Debian's 6.12 kernel with the host's own file system as its root over virtio-fs: no
 * image and no initrd. The guest sees the host read-only, except for one folder per run, through
 * which the command goes in and its output and exit status come out (see ../vm/init.sh). The
 * processor is emulated: behaviour counts in it, speed does not.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdDecompressSync } from "node:zlib";
import { cacheDirectory, cachedFolder } from "./cache.ts";

const PROJECT = resolve(import.meta.dirname, "../..");
const VIRTIOFSD = "/usr/lib/qemu/virtiofsd";
const KERNEL_META_PACKAGE = "linux-image-6.12-amd64";
const BOOT_TIMEOUT_MS = 60_000;
const BOOT_ATTEMPTS = 4;
const SCRATCH_DISK_BYTES = 4 * 1024 ** 3;
/** File systems that hold no files of the host's; the guest has its own. */
const PSEUDO = /^(proc|sysfs|devtmpfs|devpts|cgroup2?|mqueue|debugfs|tracefs|bpf|fuse\..*|nsfs)$/;

export interface VmRequest {
  readonly command: readonly string[];
  /** Added to a small fixed environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly timeoutMs?: number;
  readonly onStdout?: (chunk: Buffer) => void;
  readonly onStderr?: (chunk: Buffer) => void;
}

export interface VmResult {
  /** The command's exit status; 125 when the guest could not be set up. */
  readonly status: number;
  /** From starting QEMU to the command's start. */
  readonly bootMs: number;
  readonly totalMs: number;
}

/** Why the VM cannot run here, in one sentence; undefined when it can. */
export function vmUnavailable(): string | undefined {
  if (process.arch !== "x64") return "the test VM needs an x86-64 machine";
  if (process.getuid?.() !== 0) return "the test VM needs root (virtiofsd, mount)";
  if (process.env["TSRUN_VM"] !== undefined) return "this is the test VM already";
  const missing = ["qemu-system-x86_64", "depmod", "mkfs.ext4", "busybox", "xz"].filter(
    (name) => !onPath(name),
  );
  if (!existsSync(VIRTIOFSD)) missing.push(VIRTIOFSD);
  return missing.length === 0
    ? undefined
    : `the test VM needs ${missing.join(", ")} (Debian: qemu-system-x86 qemu-system-common kmod e2fsprogs busybox-static xz-utils)`;
}

function onPath(name: string): boolean {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Boots the VM, runs one command in it and shuts it down. Throws when the VM itself fails. */
export async function runInVm(request: VmRequest): Promise<VmResult> {
  const unavailable = vmUnavailable();
  if (unavailable !== undefined) throw new Error(unavailable);
  const kernel = await kernelFolder();
  const vmFolder = join(cacheDirectory(), "vm");
  mkdirSync(vmFolder, { recursive: true });
  removeRunsOfTheDead(vmFolder);
  const run = mkdtempSync(join(vmFolder, `run-${process.pid}-`));
  try {
    prepareRun(run, kernel, request);
    return await bootWithRetries(run, kernel, request);
  } finally {
    rmSync(run, { recursive: true, force: true });
  }
}

/** Fetches the VM's kernel if this machine has none yet, so that booting is all that is left. */
export async function prepareKernel(): Promise<void> {
  if (vmUnavailable() === undefined) await kernelFolder();
}

/** Debian's kernel, unpacked with its module index; nothing is installed on the host. */
function kernelFolder(): Promise<string> {
  const name = newestKernelPackage();
  return cachedFolder(`kernel/${name}-unpacked`, async (folder) => {
    // -o …: apt's unprivileged downloader cannot write here and would warn.
    check("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", name], folder);
    const [archive] = readdirSync(folder).filter((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download ${name} left no package`);
    check("dpkg", ["-x", archive, "."], folder);
    rmSync(join(folder, archive));
    const [version] = readdirSync(join(folder, "lib/modules"));
    if (version === undefined) throw new Error(`${name} holds no modules`);
    writeFileSync(
      join(folder, "vmlinux"),
      uncompressedKernel(join(folder, "boot", `vmlinuz-${version}`)),
    );
    const modules = join(folder, "lib/modules", version, "kernel");
    const used = ["net", "fs", "crypto", "lib", "drivers/block", "drivers/net"].map((sub) =>
      join(modules, sub),
    );
    check("sh", ["-ec", 'find "$@" -name "*.ko.xz" -exec xz -d {} +', "sh", ...used], folder);
    check("/sbin/depmod", ["-b", ".", version], folder);
  });
}

/**
 * The ELF kernel inside a bzImage. QEMU enters it directly (PVH); that an emulated processor need
 * not unpack it, nor the modules, saves a third of the boot.
 * Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length (its last four bytes
 * are the unpacked length).
 */
function uncompressedKernel(bzImage: string): Buffer {
  const image = readFileSync(bzImage);
  const setupBytes = (image.readUInt8(0x1f1) + 1) * 512;
  const start = setupBytes + image.readUInt32LE(0x248);
  return zstdDecompressSync(image.subarray(start, start + image.readUInt32LE(0x24c) - 4));
}

function newestKernelPackage(): string {
  const { stdout } = spawnSync("apt-cache", ["depends", KERNEL_META_PACKAGE], { encoding: "utf8" });
  const name = /Depends: (\S+)/.exec(stdout ?? "")?.[1];
  if (name !== undefined) return name;
  const cached = join(cacheDirectory(), "kernel");
  const [newest] = existsSync(cached)
    ? readdirSync(cached)
        .filter((entry) => !/\.(tmp|lock)$/.test(entry))
        .sort()
        .reverse()
    : [];
  if (newest !== undefined) return newest; // apt's lists are gone, the kernel is not
  throw new Error(
    `apt knows no ${KERNEL_META_PACKAGE} (is bookworm-security there? apt-get update)`,
  );
}

function check(command: string, args: readonly string[], cwd: string): void {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed (${status}): ${stderr}`);
}

function removeRunsOfTheDead(vmFolder: string): void {
  for (const name of readdirSync(vmFolder)) {
    const pid = /^run-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      rmSync(join(vmFolder, name), { recursive: true, force: true });
    }
  }
}

function prepareRun(run: string, kernel: string, request: VmRequest): void {
  const q = quote;
  writeFileSync(join(run, "init"), readFileSync(join(PROJECT, "test/vm/init.sh")), { mode: 0o755 });
  writeFileSync(
    join(run, "settings.sh"),
    `project=${q(PROJECT)}\ncache=${q(cacheDirectory())}\nkernel=${q(kernel)}\n`,
  );
  const env = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/run/home",
    TERM: "dumb",
    TSRUN_VM: "1",
    TSRUN_CACHE: cacheDirectory(),
    ...request.env,
  };
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${q(value)}`);
  const workingDirectory = request.workingDirectory ?? PROJECT;
  writeFileSync(
    join(run, "command.sh"),
    [
      ...exports,
      `cd ${q(workingDirectory)} || exit 125`,
      `exec ${request.command.map(q).join(" ")}`,
      "",
    ].join("\n"),
  );
  for (const name of ["stdout", "stderr", "console", "serial"]) writeFileSync(join(run, name), "");
  const disk = join(run, "scratch.ext4");
  writeFileSync(disk, "");
  truncateSync(disk, SCRATCH_DISK_BYTES);
  check("/sbin/mkfs.ext4", ["-q", "-O", "^has_journal", disk], run);
  mkdirSync(join(run, "tree"));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The guest died before the command started: worth another try, see bootWithRetries(). */
class BootFailed extends Error {}

/** The guest's kernel died of the emulator's fault while the command ran; see bootWithRetries(). */
export class EmulatorCrash extends Error {}

/**
 * QEMU before 8.1 with several emulating threads can run a stale breakpoint while the kernel patches
 * itself ("Oops: int3", about one boot in fifty): nothing of the command has run then, so boot again.
 */
async function bootWithRetries(run: string, kernel: string, request: VmRequest): Promise<VmResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await boot(run, kernel, request);
    } catch (error) {
      if (!(error instanceof BootFailed) || attempt === BOOT_ATTEMPTS) throw error;
      process.stderr.write(`vm: did not boot (attempt ${attempt}), trying again\n`);
    }
  }
}

async function boot(run: string, kernel: string, request: VmRequest): Promise<VmResult> {
  const startedAt = performance.now();
  const children: ChildProcess[] = [];
  // A child lives no longer than this process, even if that is killed.
  const start = (command: string, args: readonly string[], log: string): ChildProcess => {
    const fd = openSync(join(run, log), "w");
    const child = spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], {
      stdio: ["ignore", fd, fd],
    });
    closeSync(fd);
    children.push(child);
    return child;
  };
  const output = [
    new Tail(join(run, "stdout"), request.onStdout),
    new Tail(join(run, "stderr"), request.onStderr),
  ];
  try {
    const socket = join(run, "virtiofs.sock");
    rmSync(socket, { force: true });
    const fileServer = start("unshare", shareReadOnly(run, socket), "virtiofsd.log");
    await until(() => existsSync(socket), { run, child: fileServer, timeoutMs: 10_000 });
    const qemu = start("qemu-system-x86_64", qemuArguments(run, kernel, socket), "serial");
    const booted = () => existsSync(join(run, "booted")) || existsSync(join(run, "status"));
    await until(booted, { run, child: qemu, timeoutMs: BOOT_TIMEOUT_MS });
    const bootMs = performance.now() - startedAt;
    const ended = () => {
      for (const tail of output) tail.drain();
      return existsSync(join(run, "status"));
    };
    const timeoutMs = request.timeoutMs ?? 600_000;
    await until(ended, { run, child: qemu, timeoutMs, failure: Error });
    const status = Number(readFileSync(join(run, "status"), "utf8"));
    return { status, bootMs, totalMs: performance.now() - startedAt };
  } finally {
    for (const tail of output) tail.close();
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(exited));
  }
}

interface Wait {
  readonly run: string;
  /** Without it there is nothing to wait for. */
  readonly child: ChildProcess;
  readonly timeoutMs: number;
  readonly failure?: new (message: string) => Error;
}

async function until(condition: () => boolean, wait: Wait): Promise<void> {
  const deadline = performance.now() + wait.timeoutMs;
  const Failure = wait.failure ?? BootFailed;
  for (;;) {
    const over = wait.child.exitCode !== null || wait.child.signalCode !== null;
    if (condition()) return;
    if (over) {
      const serial = logs(wait.run);
      const message = `the VM ended without an exit status${serial}`;
      throw /Oops: int3/.test(serial) && Failure !== BootFailed
        ? new EmulatorCrash(message)
        : new Failure(message);
    }
    if (performance.now() > deadline) {
      throw new Failure(`the VM did not answer within ${wait.timeoutMs} ms${logs(wait.run)}`);
    }
    await sleep(20);
  }
}

/**
 * Serves a read-only view of the host, made in a private mount namespace that ends with the server,
 * in which only the run's folder can be written.
 */
function shareReadOnly(run: string, socket: string): string[] {
  const tree = join(run, "tree");
  const steps = hostMounts().flatMap((mount) => [
    `mount --bind ${quote(mount)} ${quote(tree + mount)}`,
    `mount -o remount,bind,ro ${quote(tree + mount)}`,
  ]);
  steps.push(
    `mount --bind ${quote(run)} ${quote(tree + run)}`,
    // posix_lock is off by default and flock(2) in the guest is then the guest's own: as wanted.
    `exec ${VIRTIOFSD} --socket-path=${quote(socket)} -o source=${quote(tree)} -o cache=always -o sandbox=chroot -o xattr`,
  );
  return ["--mount", "--propagation", "private", "sh", "-ec", steps.join("\n")];
}

/** The mount points that hold the host's files, the root first, and each only once. */
function hostMounts(): string[] {
  const points = new Set(["/"]);
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const point = unescapeOctal(left.split(" ")[4] ?? "");
    const fstype = right.split(" ")[0] ?? "";
    const guestsOwn = /^\/(proc|sys|dev|run)(\/|$)/.test(point);
    if (!PSEUDO.test(fstype) && !guestsOwn && statSync(point).isDirectory()) points.add(point);
  }
  const needed = [PROJECT, cacheDirectory()];
  for (const folder of needed) {
    if (/^\/(run|dev)\//.test(folder)) points.add(folder);
  }
  return [...points];
}

/** mountinfo writes space, tab, newline and backslash as \ooo; proc_pid_mountinfo(5). */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function qemuArguments(run: string, kernel: string, socket: string): string[] {
  const memory = "3G";
  return [
    ["-accel", process.env["TSRUN_VM_ACCEL"] ?? "tcg,thread=multi"],
    ["-cpu", "max", "-smp", "2", "-m", memory],
    ["-object", `memory-backend-memfd,id=mem,size=${memory},share=on`, "-numa", "node,memdev=mem"],
    ["-chardev", `socket,id=fs,path=${socket}`],
    ["-device", "vhost-user-fs-pci,chardev=fs,tag=rootfs"],
    ["-drive", `file=${join(run, "scratch.ext4")},format=raw,if=virtio,cache=unsafe`],
    ["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"],
    ["-kernel", join(kernel, "vmlinux")],
    [
      "-append",
      `console=ttyS0 panic=-1 quiet mitigations=off rootfstype=virtiofs root=rootfs rw init=${join(run, "init")}`,
    ],
  ].flat();
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

function logs(run: string): string {
  return ["console", "serial", "virtiofsd.log"]
    .filter((name) => existsSync(join(run, name)))
    .map((name) => `\n--- ${name}\n${readFileSync(join(run, name), "utf8").slice(-4000)}`)
    .join("");
}

/** Follows a file that another kernel writes: inotify cannot be relied on, so it is read again and again. */
class Tail {
  readonly #fd: number;
  readonly #onChunk: ((chunk: Buffer) => void) | undefined;

  constructor(path: string, onChunk: ((chunk: Buffer) => void) | undefined) {
    this.#fd = openSync(path, "r");
    this.#onChunk = onChunk;
  }

  drain(): void {
    const chunk = Buffer.allocUnsafe(65_536);
    for (;;) {
      const length = readSync(this.#fd, chunk, 0, chunk.length, null);
      if (length === 0) return;
      this.#onChunk?.(Buffer.from(chunk.subarray(0, length)));
    }
  }

  close(): void {
    this.drain();
    closeSync(this.#fd);
  }
}
