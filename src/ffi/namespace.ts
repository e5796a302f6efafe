import { errnoNumber } from "./errno.ts";
import { cString, syscall, syscallErrno } from "./libc.ts";

/**
 * setns(2), for the calling thread only: what the libuv pool does afterwards still happens outside.
 * `namespaces` is a namespace file or a pidfd; `flags` are CLONE_NEW* (0 accepts any for a file).
 * A mount namespace also needs `unshare(CLONE_FS)` first, and a user or time namespace refuses Node
 * for good (EINVAL, EUSERS: it has threads). Containers are joined by tsrun-stage; this is for short looks.
 */
export function setns(namespaces: number, flags = 0): void {
  syscall("setns", `fd ${namespaces}`, namespaces, flags);
}

/** unshare(2), for the calling thread only; CLONE_NEWUSER is EINVAL because Node has threads. */
export function unshare(flags: number): void {
  syscall("unshare", `0x${flags.toString(16)}`, flags);
}

/** pivot_root(2), for the mount namespace that the calling thread is in. */
export function pivotRoot(newRoot: string, putOld: string): void {
  syscall("pivot_root", newRoot, cString(newRoot), cString(putOld));
}

const NS_GET_NSTYPE = 0xb703;
const NS_GET_USERNS = 0xb701;

/** The CLONE_NEW* flag of a namespace file. ioctl_ns(2) NS_GET_NSTYPE. */
export function namespaceType(fd: number): number {
  return syscall("ioctl", `fd ${fd}`, fd, NS_GET_NSTYPE);
}

/** The user namespace that owns a namespace, as a new descriptor. EPERM if it is not below ours. */
export function owningUserNamespace(fd: number): number {
  return syscall("ioctl", `fd ${fd}`, fd, NS_GET_USERNS);
}

/** clone3's first published struct clone_args; a smaller size is EINVAL. */
const CLONE_ARGS_SIZE_VER0 = 64;

/**
 * Whether clone3(2) may be called here: "ENOSYS" on a kernel before 5.3 or under a seccomp filter that
 * hides it (Docker's and podman's do), "EPERM" under a stricter one.
 *
 * This is all that clone3 is bound for. JavaScript cannot run in a forked child of Node (V8 marks its
 * heap MADV_DONTFORK), so a child is made by tsrun-stage or not at all; and the call below cannot make
 * one: a size of 0 is refused before anything else is looked at.
 */
export function probeClone3(): "supported" | "ENOSYS" | "EPERM" {
  const errno = syscallErrno("clone3", new Uint8Array(CLONE_ARGS_SIZE_VER0), 0);
  if (errno === errnoNumber("ENOSYS")) return "ENOSYS";
  if (errno === errnoNumber("EPERM")) return "EPERM";
  return "supported";
}
