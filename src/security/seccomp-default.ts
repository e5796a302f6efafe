/**
 * tsrun's default seccomp profile: what a container may ask of the kernel.
 *
 * Everything that is not listed is answered ENOSYS, "this kernel has no such call": programs know that
 * answer from old kernels and fall back, also for calls that are newer than this list. Calls that exist
 * everywhere and are refused on purpose are answered EPERM, which programs report as what it is.
 *
 * The list is for the kernel's interface as of Linux 6.18. test/unit/security checks that each call of
 * the machine's kernel headers is in exactly one place.
 */
import type { OciSyscallArg } from "../spec/index.ts";
import type { RuleCondition, SeccompProfile, SeccompProfileRule } from "./seccomp-profile.ts";

const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

interface Group {
  readonly why: string;
  /** System calls, separated by white space. */
  readonly calls: string;
}

/** Allowed to every container, with any arguments. */
export const ALLOWED: readonly Group[] = [
  {
    why: "Opening, reading and writing files is subject to the permissions of the file system.",
    calls: `open openat openat2 creat close close_range read pread64 readv preadv preadv2 write pwrite64
      writev pwritev pwritev2 lseek _llseek dup dup2 dup3 fcntl fcntl64 flock ioctl
      sendfile sendfile64 splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64
      arm_fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64 sync fsync fdatasync
      syncfs sync_file_range sync_file_range2 arm_sync_file_range cachestat`,
  },
  {
    why: "Directories, links and names, which the container's mounts confine.",
    calls: `mkdir mkdirat mknod mknodat link linkat symlink symlinkat unlink unlinkat rmdir rename renameat
      renameat2 readlink readlinkat getdents getdents64 chdir fchdir getcwd
      name_to_handle_at`,
  },
  {
    why: "Attributes of files; changing them is subject to ownership and capabilities.",
    calls: `stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64
      statmount listmount access faccessat faccessat2
      chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 umask
      utime utimes utimensat utimensat_time64 futimesat
      getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
      listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
      file_getattr file_setattr`,
  },
  {
    why: "Waiting for descriptors, and descriptors to wait for.",
    calls: `poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1
      epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 pipe pipe2
      inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark
      io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64`,
  },
  {
    why: "A process's own memory.",
    calls: `brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock
      munlockall mseal memfd_create memfd_secret remap_file_pages membarrier pkey_alloc pkey_free pkey_mprotect
      map_shadow_stack process_mrelease`,
  },
  {
    why: "Processes and threads. (clone is below: its flags decide.)",
    calls: `fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid
      getpgid setpgid getpgrp getsid setsid set_tid_address set_robust_list get_robust_list rseq prctl
      restart_syscall pidfd_open pidfd_send_signal getrusage times getcpu`,
  },
  {
    why: "Signals, within the container's pid namespace.",
    calls: `kill tkill tgkill pause alarm rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend rt_sigreturn
      rt_sigtimedwait rt_sigtimedwait_time64 rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack signalfd signalfd4
      sigaction signal sigpending sigprocmask sigreturn sigsuspend sgetmask ssetmask`,
  },
  {
    why: "Locks between threads and processes.",
    calls: "futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue",
  },
  {
    why: "Clocks and timers. The clock adjusting calls only read without CAP_SYS_TIME.",
    calls: `time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
      clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64 getitimer setitimer
      timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
      timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`,
  },
  {
    why: "Priorities and limits: lowering is free, raising needs a capability.",
    calls: `getpriority setpriority nice sched_yield sched_getparam sched_setparam sched_getscheduler
      sched_setscheduler sched_getattr sched_setattr sched_getaffinity sched_setaffinity
      sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64
      ioprio_get ioprio_set getrlimit ugetrlimit setrlimit prlimit64`,
  },
  {
    why: "Identity: changing it needs CAP_SETUID or CAP_SETGID, which count in the container only.",
    calls: `getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32
      getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32
      setregid setregid32 setresuid setresuid32 setresgid setresgid32 setgroups setgroups32 setfsuid
      setfsuid32 setfsgid setfsgid32 capget capset`,
  },
  {
    why: "Sockets once they are made (socket itself is below). socketcall is how 32-bit x86 makes them; a filter cannot see its arguments.",
    calls: `socketpair bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown
      send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 socketcall`,
  },
  {
    why: "System V and POSIX message queues, semaphores and shared memory, within the ipc namespace.",
    calls: `ipc msgget msgsnd msgrcv msgctl semget semop semtimedop semtimedop_time64 semctl shmget shmat shmdt
      shmctl mq_open mq_unlink mq_getsetattr mq_notify mq_timedreceive mq_timedreceive_time64 mq_timedsend
      mq_timedsend_time64`,
  },
  {
    why: "Facts about the system, and randomness.",
    calls: "uname olduname oldolduname sysinfo getrandom",
  },
  {
    why: "A process restricting itself further.",
    calls: `seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
      lsm_get_self_attr lsm_set_self_attr lsm_list_modules`,
  },
];

/** Allowed to every container on one architecture. */
export const ALLOWED_ON: readonly (Group & { readonly arch: "amd64" | "arm64" })[] = [
  {
    arch: "amd64",
    why: "Thread-local storage, and the segments that 32-bit and 16-bit programs (wine) set up.",
    calls: "arch_prctl get_thread_area set_thread_area modify_ldt",
  },
  {
    arch: "amd64",
    why: "The kernel's own trampolines for uprobes: without them tracing from the host kills the process.",
    calls: "uretprobe uprobe",
  },
  {
    arch: "arm64",
    why: "What 32-bit ARM does by call instead of by instruction.",
    calls: "breakpoint cacheflush set_tls",
  },
];

/** Allowed with the capability that the kernel itself asks for, else EPERM. */
export const ALLOWED_WITH: readonly (Group & { readonly caps: readonly [string, ...string[]] })[] =
  [
    {
      caps: ["CAP_SYS_ADMIN"],
      why: "Changing mounts would undo what confines the container.",
      calls: `mount umount umount2 pivot_root fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount
      mount_setattr`,
    },
    {
      caps: ["CAP_SYS_ADMIN"],
      why: "Namespaces: entering others; names of the machine; files seen by everybody.",
      calls: "setns sethostname setdomainname quotactl quotactl_fd fanotify_init",
    },
    {
      caps: ["CAP_SYS_CHROOT"],
      why: "The default set has it: package managers and mail servers use chroot.",
      calls: "chroot",
    },
    {
      caps: ["CAP_DAC_READ_SEARCH"],
      why: 'Opening by handle reaches any inode of the file system, outside the root too ("Shocker").',
      calls: "open_by_handle_at",
    },
    { caps: ["CAP_SYS_BOOT"], why: "Restarting the machine.", calls: "reboot" },
    {
      caps: ["CAP_SYS_MODULE"],
      why: "Code in the kernel.",
      calls: "init_module finit_module delete_module",
    },
    { caps: ["CAP_SYS_PACCT"], why: "Accounting of the whole machine.", calls: "acct" },
    { caps: ["CAP_SYS_RAWIO"], why: "The machine's I/O ports.", calls: "iopl ioperm" },
    {
      caps: ["CAP_SYS_TIME"],
      why: "The clock belongs to everybody.",
      calls: "settimeofday stime clock_settime clock_settime64",
    },
    { caps: ["CAP_SYS_TTY_CONFIG"], why: "Terminals of others.", calls: "vhangup" },
    {
      caps: ["CAP_SYS_NICE"],
      why: "Where memory lies shows and moves pages between NUMA nodes.",
      calls: "get_mempolicy set_mempolicy set_mempolicy_home_node mbind migrate_pages move_pages",
    },
    {
      caps: ["CAP_SYS_PTRACE"],
      why: "Other processes' descriptors and pages.",
      calls: "kcmp pidfd_getfd process_madvise",
    },
  ];

/** Allowed with either of two capabilities, else EPERM. */
export const ALLOWED_WITH_EITHER: readonly (Group & {
  readonly caps: readonly [string, string];
})[] = [
  { caps: ["CAP_SYS_ADMIN", "CAP_BPF"], why: "Programs in the kernel.", calls: "bpf" },
  {
    caps: ["CAP_SYS_ADMIN", "CAP_PERFMON"],
    why: "Counting and tracing sees the whole machine.",
    calls: "perf_event_open",
  },
  { caps: ["CAP_SYS_ADMIN", "CAP_SYSLOG"], why: "The kernel's messages.", calls: "syslog" },
];

/** Since 4.8 a tracee's filter counts after the tracer's changes; before, tracing was a way around it. */
export const ALLOWED_SINCE_4_8: Group = {
  why: "Debuggers and strace, among the container's own processes.",
  calls: "ptrace process_vm_readv process_vm_writev",
};

/** Refused with EPERM whatever the capabilities. */
export const REFUSED: readonly Group[] = [
  {
    why: "Keyrings have no namespace: the container's ids would be the host's.",
    calls: "add_key request_key keyctl",
  },
  {
    why: "Another kernel, and swap of the whole machine.",
    calls: "kexec_load kexec_file_load swapon swapoff",
  },
  {
    why: "Stopping a kernel thread in a page fault is the usual help of exploits.",
    calls: "userfaultfd",
  },
  {
    why: "Old ways into the kernel's memory and loader.",
    calls: "uselib vm86 vm86old lookup_dcookie",
  },
];

/**
 * Left to the default, ENOSYS: io_uring, because it makes calls that no filter sees and programs have
 * another way; the rest is gone from the kernel or has a better successor everywhere.
 */
export const NOT_THERE: readonly Group[] = [
  {
    why: "Calls that a filter would not see.",
    calls: "io_uring_setup io_uring_enter io_uring_register",
  },
  {
    why: "Names of namespaces outside the container.",
    calls: "listns",
  },
  {
    why: "Never, no longer, or hardly ever used.",
    calls: `_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx
      nfsservctl oldfstat oldlstat oldstat prof profil putpmsg query_module readdir security stty sysfs tuxcall
      ulimit ustat vserver`,
  },
];

const CLONE_NAMESPACES = {
  CLONE_NEWNS: 0x0002_0000,
  CLONE_NEWCGROUP: 0x0200_0000,
  CLONE_NEWUTS: 0x0400_0000,
  CLONE_NEWIPC: 0x0800_0000,
  CLONE_NEWUSER: 0x1000_0000,
  CLONE_NEWPID: 0x2000_0000,
  CLONE_NEWNET: 0x4000_0000,
} as const;
/** Only for unshare: in clone's flags these bits are the exit signal. */
const CLONE_NEWTIME = 0x80;

/** personality(2): Linux, 32-bit uname, 2.6 uname, both, and asking. The rest disables protections. */
const PERSONALITIES = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/** Address families, include/linux/socket.h. */
const AF_NETLINK = 16;
const NETLINK_AUDIT = 9;
const AF_MAX = 46;
const FAMILIES: readonly { readonly family: number; readonly cap?: string }[] = [
  { family: 1 }, // AF_UNIX
  { family: 2 }, // AF_INET
  { family: 10 }, // AF_INET6
  { family: AF_NETLINK },
  { family: 17 }, // AF_PACKET, for which the kernel asks CAP_NET_RAW
  { family: 15, cap: "CAP_NET_ADMIN" }, // AF_KEY: IPsec
  { family: 24, cap: "CAP_NET_ADMIN" }, // AF_PPPOX: tunnels
  { family: 29, cap: "CAP_NET_RAW" }, // AF_CAN
  { family: 31, cap: "CAP_NET_ADMIN" }, // AF_BLUETOOTH
  { family: 44, cap: "CAP_NET_RAW" }, // AF_XDP
];

export const DEFAULT_SECCOMP_PROFILE: SeccompProfile = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: ENOSYS,
  archMap: [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
  ],
  syscalls: [
    ...ALLOWED.map((group) => allow(group)),
    ...ALLOWED_ON.map((group) => allow(group, { includes: { arches: [group.arch] } })),
    allow(ALLOWED_SINCE_4_8, { includes: { minKernel: "4.8" } }),
    ...ALLOWED_WITH.flatMap((group) => allowWith(group)),
    ...ALLOWED_WITH_EITHER.flatMap((group) => allowWithEither(group)),
    ...REFUSED.map((group) => refuse(group, EPERM)),
    ...namespaceRules("clone", Object.values(CLONE_NAMESPACES)),
    ...namespaceRules("unshare", [...Object.values(CLONE_NAMESPACES), CLONE_NEWTIME]),
    ...clone3Rules(),
    ...personalityRules(),
    ...socketRules(),
  ],
};

interface Conditions {
  readonly includes?: RuleCondition;
  readonly excludes?: RuleCondition;
  readonly args?: readonly OciSyscallArg[];
}

function allow({ calls, why }: Group, conditions: Conditions = {}): SeccompProfileRule {
  return { names: calls.split(/\s+/), action: "SCMP_ACT_ALLOW", comment: why, ...conditions };
}

function refuse(
  { calls, why }: Group,
  errnoRet: number,
  conditions: Conditions = {},
): SeccompProfileRule {
  const names = calls.split(/\s+/);
  return { names, action: "SCMP_ACT_ERRNO", errnoRet, comment: why, ...conditions };
}

function allowWith(group: Group & { readonly caps: readonly string[] }): SeccompProfileRule[] {
  const { caps } = group;
  return [allow(group, { includes: { caps } }), refuse(group, EPERM, { excludes: { caps } })];
}

function allowWithEither(
  group: Group & { readonly caps: readonly [string, string] },
): SeccompProfileRule[] {
  const [first, second] = group.caps;
  return [
    allow(group, { includes: { caps: [first] } }),
    allow(group, { includes: { caps: [second] }, excludes: { caps: [first] } }),
    refuse(group, EPERM, { excludes: { caps: [first, second] } }),
  ];
}

/** Without CAP_SYS_ADMIN the call may make anything but namespaces: EPERM if any of their bits is set. */
function namespaceRules(call: string, bits: readonly number[]): SeccompProfileRule[] {
  const caps = ["CAP_SYS_ADMIN"];
  const group = { calls: call, why: "New namespaces open much of the kernel to attack." };
  const all = bits.reduce((mask, bit) => mask | bit, 0);
  return [
    allow(group, { includes: { caps } }),
    allow(group, { excludes: { caps }, args: [maskedEqual(0, all, 0)] }),
    ...bits.map((bit) =>
      refuse(group, EPERM, { excludes: { caps }, args: [maskedEqual(0, bit, bit)] }),
    ),
  ];
}

/** Its flags are in memory, where a filter cannot look; told ENOSYS, libcs use clone instead. */
function clone3Rules(): SeccompProfileRule[] {
  const caps = ["CAP_SYS_ADMIN"];
  const group = { calls: "clone3", why: "Its flags cannot be seen by a filter." };
  // Without the capability no rule names it, and the default answers ENOSYS.
  return [allow(group, { includes: { caps } })];
}

function personalityRules(): SeccompProfileRule[] {
  const group = {
    calls: "personality",
    why: "Other personalities switch off address randomisation.",
  };
  return PERSONALITIES.map((persona) => allow(group, { args: [equal(0, persona)] }));
}

/**
 * Every family has its answer, because what no rule matches is ENOSYS, and a program that asks for a
 * family expects EAFNOSUPPORT where there is none. AF_ALG and AF_VSOCK are among the refused: the one
 * is a steady source of holes, the other reaches the machine's hypervisor past all namespaces.
 */
function socketRules(): SeccompProfileRule[] {
  const group = { calls: "socket", why: "The families that containers need." };
  const rules: SeccompProfileRule[] = [];
  for (let family = 0; family <= AF_MAX; family++) {
    const known = FAMILIES.find((entry) => entry.family === family);
    const args = [equal(0, family)];
    if (known === undefined) {
      rules.push(refuse(group, EAFNOSUPPORT, { args }));
    } else if (known.cap !== undefined) {
      const caps = [known.cap];
      rules.push(allow(group, { includes: { caps }, args }));
      rules.push(refuse(group, EAFNOSUPPORT, { excludes: { caps }, args }));
    } else if (family === AF_NETLINK) {
      rules.push(...netlinkRules(group));
    } else {
      rules.push(allow(group, { args }));
    }
  }
  rules.push(
    refuse(group, EAFNOSUPPORT, { args: [{ index: 0, op: "SCMP_CMP_GT", value: AF_MAX }] }),
  );
  return rules;
}

/** Without CAP_AUDIT_WRITE the audit family looks absent (EINVAL): pam and sshd then go on without it. */
function netlinkRules(group: Group): SeccompProfileRule[] {
  const caps = ["CAP_AUDIT_WRITE"];
  const netlink = equal(0, AF_NETLINK);
  return [
    allow(group, { includes: { caps }, args: [netlink] }),
    allow(group, {
      excludes: { caps },
      args: [netlink, { index: 2, op: "SCMP_CMP_NE", value: NETLINK_AUDIT }],
    }),
    refuse(group, EINVAL, { excludes: { caps }, args: [netlink, equal(2, NETLINK_AUDIT)] }),
  ];
}

function equal(index: number, value: number): OciSyscallArg {
  return { index, op: "SCMP_CMP_EQ", value };
}

function maskedEqual(index: number, mask: number, valueTwo: number): OciSyscallArg {
  return { index, op: "SCMP_CMP_MASKED_EQ", value: mask, valueTwo };
}
