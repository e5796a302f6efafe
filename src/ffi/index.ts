/**
 * The only door to native code: system calls, posix_spawn and libseccomp, typed, each bound on its
 * first use. A call returns its result or throws a KernelError that carries the errno by name.
 * Nothing is decided here, no flag is added but close-on-exec, and no thread is ever blocked.
 * Start with libc.ts, through which everything goes; every other file is one group of calls.
 */
export * from "./at.ts";
export * from "./bpf.ts";
export { type CopyTreeOptions, copyEntry, copyTree, copyXattrs } from "./copy-tree.ts";
export { directoryNames, entryPath, openDirectoryAt } from "./directory.ts";
export { readEntryTypes } from "./entry-types.ts";
export { errnoMeaning, errnoName, errnoNumber } from "./errno.ts";
export { fallocate, growExt4 } from "./fallocate.ts";
export { type FileLock, heldLock, isStillAt, lockFile, tryLockFile } from "./file-lock.ts";
export { flock, funlock, type LockKind, tryFlock } from "./flock.ts";
export * from "./in-root.ts";
export { KernelError } from "./kernel-error.ts";
export type { Text } from "./libc.ts";
export { configureLoop, findFreeLoop, readLoopFile, updateLoopSize } from "./loop.ts";
export { createSealedMemfd, isSealed, type MemfdOptions, openStageMemfd } from "./memfd.ts";
export { type MountRequest, mount, umount2 } from "./mount.ts";
export * from "./mount-api.ts";
export * from "./namespace.ts";
export { netlinkDump } from "./netlink.ts";
export { O_PATH, type Openat2How, openat2, RESOLVE } from "./openat2.ts";
export { aborted, waitReadable } from "./poll.ts";
export * from "./process.ts";
export {
  hasProjectQuota,
  readProject,
  readProjectQuota,
  setProject,
  setProjectLimit,
} from "./quota.ts";
export { removeTree, removeTreeAt } from "./remove-tree.ts";
export { replaceProcess } from "./replace-process.ts";
export * from "./seccomp.ts";
export {
  bindDatagram,
  connectDatagram,
  connectUnix,
  pipe2,
  type ReceivedMessage,
  receiveFds,
  sendFds,
  socketpair,
} from "./socket.ts";
export { type SpawnRequest, spawnStage } from "./spawn.ts";
export { AT_FDCWD, type Statx, statx } from "./statx.ts";
export { syncfs } from "./syncfs.ts";
export {
  cfmakeraw,
  readWindowSize,
  type Termios,
  tcgetattr,
  tcsetattr,
  writeWindowSize,
} from "./termios.ts";
export * from "./xattr.ts";
