/**
 * A system call of tsrun's own that failed for a reason outside of it: no bug, but the state of the host.
 */
const OWN_DIRECTORY = "Run tsrun as root, or choose a directory of your own with --root.";

const FAULTS: ReadonlyMap<string, { readonly what: string; readonly hint: string }> = new Map([
  ["EACCES", { what: "permission denied", hint: OWN_DIRECTORY }],
  ["EPERM", { what: "operation not permitted", hint: OWN_DIRECTORY }],
  [
    "EROFS",
    {
      what: "the file system is read-only",
      hint: "Choose a directory that can be written with --root.",
    },
  ],
  ["ENOSPC", { what: "the disk is full", hint: "Free some space; `tsrun info` tells how much." }],
  ["EDQUOT", { what: "the disk quota is used up", hint: "Remove files, or ask for more." }],
  ["EIO", { what: "the disk does not answer", hint: "The kernel's log (dmesg) may say why." }],
  [
    "EMFILE",
    { what: "too many files are open", hint: "Raise the limit with `ulimit -n`, and try again." },
  ],
  ["ENFILE", { what: "too many files are open on this host", hint: "See fs.file-max, proc(5)." }],
  ["ENOMEM", { what: "the host has no memory left", hint: "End something, and try again." }],
]);

export interface WorldFault {
  readonly sentence: string;
  readonly hint: string;
}

/** Of Node's own errors alone, which name the system call. */
export function worldFault(error: unknown): WorldFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = "", syscall, path } = error as NodeJS.ErrnoException;
  const fault = FAULTS.get(code);
  if (!fault || syscall === undefined) return undefined;
  const object = path === undefined ? "" : ` "${path}"`;
  return { sentence: `cannot ${syscall}${object}: ${fault.what}`, hint: fault.hint };
}
