/**
 * The classic mount calls, for the mount namespace that Node itself is in. A container's mounts are
 * ops of a plan and are carried out by tsrun-stage; this serves probes and the engine's own mounts.
 */
import { cString, cStringOrNull, syscall } from "./libc.ts";

export interface MountRequest {
  /** Device, directory, or a free word for virtual file systems. */
  readonly source?: string;
  readonly target: string;
  readonly type?: string;
  /** MS_* flags. */
  readonly flags?: number;
  /** The file system's own options, comma-separated. At most 4095 bytes: the kernel cuts the rest. */
  readonly options?: string;
}

/** mount(2). Throws KernelError, whose subject is the target. */
export function mount({ source, target, type, flags = 0, options }: MountRequest): void {
  syscall(
    "mount",
    target,
    cStringOrNull(source),
    cString(target),
    cStringOrNull(type),
    BigInt.asUintN(32, BigInt(flags)), // MS_NOUSER is bit 31: a JavaScript "|" makes it negative
    cStringOrNull(options),
  );
}

/** umount2(2); `flags` are MNT_* and UMOUNT_NOFOLLOW. */
export function umount2(target: string, flags = 0): void {
  syscall("umount2", target, cString(target), flags);
}
