/**
 * The plan's vocabulary: one op is one kernel request. Names are the system calls' own; `…Below`
 * means that every component is resolved below the directory in the slot.
 * The operands' places on the wire are in `wire.ts`; what each does is said in native/plan.h.
 */

/** An index into the stage's descriptor table; the child inherits the table by clone. */
export type Slot = number & { readonly __brand: "Slot" };
/** As a directory: AT_FDCWD. As a target: "use the path". */
export const SLOT_CWD = -1 as Slot;

export interface ExecLists {
  readonly argv: readonly string[];
  /** "NAME=value" entries. */
  readonly env: readonly string[];
  /** Paths that are tried in turn, as execvp(3) tries the directories of PATH. */
  readonly candidates: readonly string[];
}

export type Op =
  | { readonly kind: "mkdir"; readonly path: string; readonly mode: number }
  | { readonly kind: "rmdir"; readonly path: string; readonly retryMs: number }
  | { readonly kind: "unlink"; readonly path: string }
  | {
      readonly kind: "writeFile";
      readonly path: string;
      readonly data: string | Uint8Array;
      /** Where `path` is resolved, below it and without symlinks; SLOT_CWD for an ordinary path. */
      readonly dir: Slot;
      /** open(2) flags besides O_WRONLY. */
      readonly flags: number;
    }
  | { readonly kind: "writeProc"; readonly name: string; readonly data: string }
  | {
      readonly kind: "open";
      readonly path: string;
      readonly dir: Slot;
      readonly flags: number;
      readonly out: Slot;
    }
  | {
      readonly kind: "openat2";
      readonly path: string;
      readonly dir: Slot;
      readonly flags: number;
      readonly mode: number;
      readonly resolve: number;
      readonly out: Slot;
    }
  | { readonly kind: "close"; readonly slot: Slot }
  | { readonly kind: "setns"; readonly slot: Slot; readonly flags: number }
  | { readonly kind: "unshare"; readonly flags: number }
  | {
      readonly kind: "bpfProgLoad";
      readonly instructions: Uint8Array;
      readonly progType: number;
      readonly attachType: number;
      readonly out: Slot;
    }
  | {
      readonly kind: "bpfProgAttach";
      readonly prog: Slot;
      readonly target: Slot;
      readonly attachType: number;
      readonly flags: number;
    }
  | {
      readonly kind: "mount";
      readonly source: string;
      readonly fstype: string;
      /** The data argument of mount(2), at most a page. */
      readonly data: string;
      readonly flags: number;
      /** The directory or file to mount on; SLOT_CWD uses `target`. */
      readonly at: Slot;
      readonly target: string;
    }
  | { readonly kind: "umount"; readonly path: string; readonly flags: number }
  | {
      readonly kind: "openTree";
      readonly path: string;
      readonly dir: Slot;
      readonly flags: number;
      readonly out: Slot;
    }
  | {
      readonly kind: "mountSetattr";
      readonly slot: Slot;
      readonly flags: number;
      readonly attrSet: number;
      readonly attrClr: number;
      readonly propagation: number;
      /** A user namespace for MOUNT_ATTR_IDMAP, or SLOT_CWD for none. */
      readonly userns: Slot;
    }
  | {
      readonly kind: "moveMount";
      readonly from: Slot;
      /** SLOT_CWD uses `target`. */
      readonly to: Slot;
      readonly target: string;
    }
  | { readonly kind: "fsopen"; readonly fstype: string; readonly out: Slot }
  | {
      readonly kind: "fsconfig";
      readonly fs: Slot;
      readonly command: number;
      readonly key: string;
      readonly value: string;
      /** The descriptor for FSCONFIG_SET_FD, or SLOT_CWD for none. */
      readonly valueSlot: Slot;
    }
  | {
      readonly kind: "fsmount";
      readonly fs: Slot;
      readonly attributes: number;
      readonly out: Slot;
    }
  | {
      readonly kind: "mkdirBelow";
      readonly path: string;
      readonly root: Slot;
      readonly mode: number;
    }
  | {
      readonly kind: "mknod";
      readonly name: string;
      readonly dir: Slot;
      readonly mode: number;
      readonly dev: bigint;
    }
  | {
      readonly kind: "symlink";
      readonly target: string;
      readonly name: string;
      readonly dir: Slot;
    }
  | {
      readonly kind: "chown";
      readonly name: string;
      readonly dir: Slot;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly kind: "fchdir"; readonly slot: Slot }
  | { readonly kind: "chdir"; readonly path: string }
  | { readonly kind: "pivotRoot"; readonly newRoot: string; readonly putOld: string }
  | { readonly kind: "chroot"; readonly path: string }
  | { readonly kind: "sethostname"; readonly name: string }
  | { readonly kind: "setdomainname"; readonly name: string }
  | { readonly kind: "linkUp"; readonly name: string }
  | {
      readonly kind: "prlimit";
      readonly resource: number;
      readonly soft: bigint;
      readonly hard: bigint;
    }
  | {
      readonly kind: "prctl";
      readonly option: number;
      readonly arg2: number;
      readonly arg3: number;
      readonly arg4: number;
    }
  | { readonly kind: "setgroups"; readonly gids: readonly number[] }
  | { readonly kind: "setresgid"; readonly gid: number }
  | { readonly kind: "setresuid"; readonly uid: number }
  | { readonly kind: "boundingSet"; readonly mask: bigint }
  | {
      readonly kind: "capset";
      readonly effective: bigint;
      readonly permitted: bigint;
      readonly inheritable: bigint;
    }
  | { readonly kind: "ambientSet"; readonly mask: bigint }
  | { readonly kind: "umask"; readonly mask: number }
  | { readonly kind: "personality"; readonly persona: number }
  | { readonly kind: "schedSetaffinity"; readonly mask: Uint8Array }
  | { readonly kind: "schedSetattr"; readonly attr: Uint8Array }
  | { readonly kind: "ioprioSet"; readonly ioprio: number }
  | {
      readonly kind: "seccomp";
      readonly filter: Uint8Array;
      readonly flags: number;
      /** Where SECCOMP_FILTER_FLAG_NEW_LISTENER's descriptor goes, or SLOT_CWD for none. */
      readonly listener: Slot;
    }
  | { readonly kind: "keyring"; readonly name: string }
  | { readonly kind: "setsid" }
  | {
      readonly kind: "openPty";
      readonly devpts: Slot;
      readonly rows: number;
      readonly cols: number;
      readonly out: Slot;
      /** A Unix socket that the master is sent into, with `message`; SLOT_CWD is the stage. */
      readonly socket: Slot;
      readonly message: string;
    }
  | { readonly kind: "stdioPty"; readonly slave: Slot }
  | { readonly kind: "hold" }
  | { readonly kind: "closeRange"; readonly first: number }
  | { readonly kind: "init" }
  | { readonly kind: "exec"; readonly lists: ExecLists }
  | { readonly kind: "fchown"; readonly fd: number; readonly uid: number; readonly gid: number }
  /** The host ops that follow, and clone3, happen in a process of their own. */
  | { readonly kind: "proxy" }
  /** Alone from here on: until a byte comes through the FIFO in `start`. */
  | { readonly kind: "awaitStart"; readonly start: Slot; readonly result: Slot }
  /** Fails as the exec would if there is nothing that may be executed. */
  | { readonly kind: "findExec" }
  /** The slots from `first` on become descriptors 3, 4, … of the program. */
  | { readonly kind: "keepFds"; readonly first: Slot; readonly count: number }
  /** set_mempolicy(2): MPOL_* and MPOL_F_* in one number; a bit a node, or no bytes for none. */
  | { readonly kind: "setMempolicy"; readonly mode: number; readonly nodes: Uint8Array }
  | {
      readonly kind: "netlink";
      /** One rtnetlink(7) request with its header. */
      readonly message: Uint8Array;
      /** Whose index goes to `indexAt`; "" where there is no such field. */
      readonly name: string;
      /** Byte offset, or -1. */
      readonly indexAt: number;
      /** Byte offset of IFLA_NET_NS_PID or IFLA_NET_NS_FD, or -1. */
      readonly netnsAt: number;
      /** The namespace's file; SLOT_CWD is the child's own, by its pid. */
      readonly netns: Slot;
    }
  | {
      readonly kind: "sendListener";
      /** What `seccomp` has put there. */
      readonly listener: Slot;
      readonly path: string;
      /** The child's pid takes the place of each NUL. */
      readonly message: string;
    }
  /** The file system of a descriptor must be, or must not be, the one with this number of statfs(2). */
  | { readonly kind: "checkFs"; readonly slot: Slot; readonly magic: number; readonly is: boolean }
  /** What is there must be this node: its type (of `mode`) and number. */
  | {
      readonly kind: "checkNode";
      readonly name: string;
      readonly dir: Slot;
      readonly mode: number;
      readonly dev: bigint;
    }
  /** The working directory must have a path below the root. */
  | { readonly kind: "checkCwd" }
  /** Of the launch's descriptors only these stay open; SLOT_CWD for none. */
  | { readonly kind: "closeSlots"; readonly keep: Slot; readonly keepToo: Slot };

export type OpKind = Op["kind"];
export type OpOf<K extends OpKind> = Extract<Op, { readonly kind: K }>;
