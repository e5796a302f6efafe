/**
 * Where each op's operands stand on the wire: `num` are the four 64-bit numbers, `str` the strings
 * (offsets into the blob), `data` the bytes. The order is native/plan.h's.
 */
import type { OpKind, OpOf } from "./ops.ts";

/** One 64-bit number: a field, two 32-bit fields (low, high), or a 32-bit pair whose parts are adjusted. */
type NumberPlace<O> =
  | keyof O
  | { readonly low: keyof O; readonly high: keyof O; readonly lowPlus?: number };

interface WireForm<K extends OpKind> {
  readonly code: number;
  readonly num?: readonly NumberPlace<OpOf<K>>[];
  readonly str?: readonly (keyof OpOf<K>)[];
  readonly data?: keyof OpOf<K>;
}

export const WIRE: { readonly [K in OpKind]: WireForm<K> } = {
  mkdir: { code: 1, str: ["path"], num: ["mode"] },
  rmdir: { code: 2, str: ["path"], num: ["retryMs"] },
  unlink: { code: 3, str: ["path"] },
  writeFile: { code: 4, str: ["path"], num: ["dir", "flags"], data: "data" },
  writeProc: { code: 5, str: ["name"], data: "data" },
  open: { code: 6, str: ["path"], num: ["dir", "flags", "out"] },
  openat2: {
    code: 7,
    str: ["path"],
    num: ["dir", { low: "flags", high: "mode" }, "resolve", "out"],
  },
  close: { code: 8, num: ["slot"] },
  setns: { code: 9, num: ["slot", "flags"] },
  unshare: { code: 10, num: ["flags"] },
  bpfProgLoad: { code: 11, num: ["progType", "attachType", "out"], data: "instructions" },
  bpfProgAttach: { code: 12, num: ["prog", "target", "attachType", "flags"] },
  mount: { code: 13, str: ["source", "fstype", "data", "target"], num: ["flags", "at"] },
  umount: { code: 14, str: ["path"], num: ["flags"] },
  openTree: { code: 15, str: ["path"], num: ["dir", "flags", "out"] },
  mountSetattr: {
    code: 16,
    num: [
      "slot",
      "flags",
      { low: "attrClr", high: "attrSet" },
      { low: "userns", high: "propagation", lowPlus: 1 },
    ],
  },
  moveMount: { code: 17, str: ["target"], num: ["from", "to"] },
  fsopen: { code: 18, str: ["fstype"], num: ["out"] },
  fsconfig: { code: 19, str: ["key", "value"], num: ["fs", "command", "valueSlot"] },
  fsmount: { code: 20, num: ["fs", "attributes", "out"] },
  mkdirBelow: { code: 21, str: ["path"], num: ["root", "mode"] },
  mknod: { code: 22, str: ["name"], num: ["dir", "mode", "dev"] },
  symlink: { code: 23, str: ["target", "name"], num: ["dir"] },
  chown: { code: 24, str: ["name"], num: ["dir", "uid", "gid"] },
  fchdir: { code: 25, num: ["slot"] },
  chdir: { code: 26, str: ["path"] },
  pivotRoot: { code: 27, str: ["newRoot", "putOld"] },
  chroot: { code: 28, str: ["path"] },
  sethostname: { code: 29, str: ["name"] },
  setdomainname: { code: 30, str: ["name"] },
  linkUp: { code: 31, str: ["name"] },
  prlimit: { code: 32, num: ["resource", "soft", "hard"] },
  prctl: { code: 33, num: ["option", "arg2", "arg3", "arg4"] },
  setgroups: { code: 34, data: "gids" },
  setresgid: { code: 35, num: ["gid"] },
  setresuid: { code: 36, num: ["uid"] },
  boundingSet: { code: 37, num: ["mask"] },
  capset: { code: 38, num: ["effective", "permitted", "inheritable"] },
  ambientSet: { code: 39, num: ["mask"] },
  umask: { code: 40, num: ["mask"] },
  personality: { code: 41, num: ["persona"] },
  schedSetaffinity: { code: 42, data: "mask" },
  schedSetattr: { code: 43, data: "attr" },
  ioprioSet: { code: 44, num: ["ioprio"] },
  seccomp: { code: 45, num: ["flags", "listener"], data: "filter" },
  keyring: { code: 46, str: ["name"] },
  setsid: { code: 47 },
  openPty: {
    code: 48,
    str: ["message"],
    num: ["devpts", { low: "cols", high: "rows" }, "out", "socket"],
  },
  stdioPty: { code: 49, num: ["slave"] },
  hold: { code: 50 },
  closeRange: { code: 51, num: ["first"] },
  init: { code: 52 },
  exec: { code: 53, data: "lists" },
  fchown: { code: 54, num: ["fd", "uid", "gid"] },
  proxy: { code: 55 },
  awaitStart: { code: 56, num: ["start", "result"] },
  findExec: { code: 57 },
  keepFds: { code: 58, num: ["first", "count"] },
  setMempolicy: { code: 59, num: ["mode"], data: "nodes" },
  netlink: { code: 60, str: ["name"], num: ["indexAt", "netnsAt", "netns"], data: "message" },
  sendListener: { code: 61, str: ["path"], num: ["listener"], data: "message" },
  checkFs: { code: 62, num: ["slot", "magic", "is"] },
  checkCwd: { code: 63 },
  checkNode: { code: 65, str: ["name"], num: ["dir", "mode", "dev"] },
  closeSlots: { code: 64, num: ["keep", "keepToo"] },
};
