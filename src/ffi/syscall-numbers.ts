/**
 * System call numbers, as [x86-64, arm64] (arch/x86/entry/syscalls/syscall_64.tbl and
 * asm-generic/unistd.h). Calls since Linux 5.0 have the same number everywhere.
 *
 * tsrun calls by number through syscall(2): one binding serves all, and a libc that is older than the
 * kernel (glibc has fsopen(2) since 2.36, and no openat2(2) at all) does not stand in the way.
 */
const TABLE = {
  bind: [49, 200],
  bpf: [321, 280],
  clone3: [435, 435],
  close_range: [436, 436],
  connect: [42, 203],
  fallocate: [285, 47],
  fchmodat2: [452, 452],
  fchownat: [260, 54],
  fcntl: [72, 25],
  fgetxattr: [193, 10],
  flistxattr: [196, 13],
  flock: [73, 32],
  fremovexattr: [199, 16],
  fsconfig: [431, 431],
  fsetxattr: [190, 7],
  fsmount: [432, 432],
  fsopen: [430, 430],
  fspick: [433, 433],
  getdents64: [217, 61],
  getxattr: [191, 8],
  ioctl: [16, 29],
  kill: [62, 129],
  lgetxattr: [192, 9],
  linkat: [265, 37],
  listxattr: [194, 11],
  llistxattr: [195, 12],
  lremovexattr: [198, 15],
  lsetxattr: [189, 6],
  memfd_create: [319, 279],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  open_tree: [428, 428],
  openat2: [437, 437],
  pidfd_getfd: [438, 438],
  pidfd_open: [434, 434],
  pidfd_send_signal: [424, 424],
  pipe2: [293, 59],
  pivot_root: [155, 41],
  prctl: [157, 167],
  prlimit64: [302, 261],
  quotactl_fd: [443, 443],
  readlinkat: [267, 78],
  recvfrom: [45, 207],
  recvmsg: [47, 212],
  removexattr: [197, 14],
  renameat2: [316, 276],
  sched_getaffinity: [204, 123],
  seccomp: [317, 277],
  sendmsg: [46, 211],
  sendto: [44, 206],
  setns: [308, 268],
  setxattr: [188, 5],
  socket: [41, 198],
  socketpair: [53, 199],
  statx: [332, 291],
  syncfs: [306, 267],
  symlinkat: [266, 36],
  umount2: [166, 39],
  unlinkat: [263, 35],
  unshare: [272, 97],
  utimensat: [280, 88],
  waitid: [247, 95],
} as const satisfies Readonly<Record<string, readonly [x64: number, arm64: number]>>;

export type SyscallName = keyof typeof TABLE;

export const SYSCALL_NAMES = Object.keys(TABLE) as readonly SyscallName[];

/** The number of a call on an architecture that tsrun runs on. */
export function syscallNumber(name: SyscallName, arch: "x64" | "arm64"): number {
  return TABLE[name][arch === "x64" ? 0 : 1];
}
