/**
 * Loop devices: a file as a block device. loop(4); struct loop_config and loop_info64 are of linux/loop.h.
 */
import { closeSync, openSync } from "node:fs";
import { syscall } from "./libc.ts";

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_GET_STATUS64 = 0x4c05;
const LOOP_SET_CAPACITY = 0x4c07;
const LO_FLAGS_AUTOCLEAR = 4;

const CONFIG_SIZE = 304;
const INFO_AT = 8;
const INFO_SIZE = 232;
const INFO = { device: 0, inode: 8, flags: 52, fileName: 56 } as const;
const FILE_NAME_SIZE = 64;

/** The number of a device that is free at this moment; somebody else may take it first. */
export function findFreeLoop(): number {
  const control = openSync("/dev/loop-control", "r+");
  try {
    return syscall("ioctl", "/dev/loop-control", control, LOOP_CTL_GET_FREE, 0);
  } finally {
    closeSync(control);
  }
}

/**
 * Puts the file behind the open device. It is taken off again by the kernel when nobody uses the device
 * any more, whoever dies. Throws KernelError EBUSY where somebody was faster. Linux 5.8.
 */
export function configureLoop(device: number, file: number, fileName: string): void {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(file, 0);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR, INFO_AT + INFO.flags);
  Buffer.from(fileName).copy(config, INFO_AT + INFO.fileName, 0, FILE_NAME_SIZE - 1);
  syscall("ioctl", fileName, device, LOOP_CONFIGURE, config);
}

/** Which file is behind the open device. Throws KernelError ENXIO where there is none. */
export function readLoopFile(device: number): { readonly device: bigint; readonly inode: bigint } {
  const info = Buffer.alloc(INFO_SIZE);
  syscall("ioctl", `fd ${device}`, device, LOOP_GET_STATUS64, info);
  return {
    device: info.readBigUInt64LE(INFO.device),
    inode: info.readBigUInt64LE(INFO.inode),
  };
}

/** Lets the open device be as large as its file has become. */
export function updateLoopSize(device: number): void {
  syscall("ioctl", `fd ${device}`, device, LOOP_SET_CAPACITY, 0);
}
