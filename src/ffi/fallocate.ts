import { syscall } from "./libc.ts";

/** Has the file own all its blocks up to this size, zeros where nothing was written. ENOSPC. fallocate(2). */
export function fallocate(fd: number, sizeBytes: number): void {
  syscall("fallocate", `fd ${fd}`, fd, 0, 0, sizeBytes);
}

/** _IOW('f', 16, __u64), fs/ext4/ext4.h. */
const EXT4_IOC_RESIZE_FS = 0x4008_6610;

/** Grows the mounted ext4 behind the descriptor to so many blocks. EPERM without CAP_SYS_RESOURCE. */
export function growExt4(fd: number, blocks: bigint): void {
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(blocks);
  syscall("ioctl", `fd ${fd}`, fd, EXT4_IOC_RESIZE_FS, count);
}
