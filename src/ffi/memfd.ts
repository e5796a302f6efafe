import { closeSync, readFileSync, writeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { cString, syscall } from "./libc.ts";

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
const MFD_NOEXEC_SEAL = 0x8;
const MFD_EXEC = 0x10;

const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const F_SEAL_SEAL = 0x1;
const F_SEAL_SHRINK = 0x2;
const F_SEAL_GROW = 0x4;
const F_SEAL_WRITE = 0x8;
const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

export interface MemfdOptions {
  /** Whether the contents are a program. Kernels since 6.3 want to know. */
  readonly executable?: boolean;
}

/**
 * An anonymous file in memory that holds `bytes` and can never change again; close-on-exec.
 * `name` is seen in /proc/self/fd only. memfd_create(2), fcntl(2) "File Sealing".
 */
export function createSealedMemfd(
  name: string,
  bytes: Uint8Array,
  { executable = false }: MemfdOptions = {},
): number {
  const fd = createMemfd(name, executable ? MFD_EXEC : MFD_NOEXEC_SEAL);
  try {
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(fd, bytes, written);
    }
    syscall("fcntl", name, fd, F_ADD_SEALS, ALL_SEALS);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

function createMemfd(name: string, execFlag: number): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  try {
    return syscall("memfd_create", name, cString(name), flags | execFlag);
  } catch (error) {
    if (execFlag === MFD_EXEC && hasErrno(error, "EACCES")) {
      throw new TsrunError("PERMISSION", `cannot create an executable memfd "${name}"`, {
        hint: 'The sysctl "vm.memfd_noexec" forbids it: set it to 0 or 1.',
        cause: error,
        errno: "EACCES",
      });
    }
    // Before 6.3 the kernel knows neither flag, and every memfd is executable.
    if (!hasErrno(error, "EINVAL")) throw error;
    return syscall("memfd_create", name, cString(name), flags);
  }
}

/** True if nothing can change the file behind this descriptor any more. */
export function isSealed(fd: number): boolean {
  const seals = syscall("fcntl", fd, fd, F_GET_SEALS);
  return (seals & ALL_SEALS) === ALL_SEALS;
}

const stages = new Map<string, number>();

/**
 * tsrun-stage as a sealed memfd, made once per process and path and never closed. A container whose
 * entrypoint is /proc/self/exe thus gets a copy, not the host's binary (CVE-2019-5736).
 */
export function openStageMemfd(path: string): number {
  let fd = stages.get(path);
  if (fd === undefined) {
    fd = createSealedMemfd("tsrun-stage", readStage(path), { executable: true });
    stages.set(path, fd);
  }
  return fd;
}

function readStage(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TsrunError("UNSUPPORTED", `cannot read the launcher "${path}"`, {
      hint: 'Build it with "npm run build".',
      cause,
    });
  }
}
