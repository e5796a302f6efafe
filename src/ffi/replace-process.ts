import { KernelError } from "./kernel-error.ts";
import { koffi } from "./koffi.ts";
import { cString, libcFunction, syscall, withAddresses } from "./libc.ts";

export interface ReplaceRequest {
  /** argv[0] is looked for as a shell does, in the directories of our own PATH. */
  readonly argv: readonly string[];
  /** "NAME=value" entries. */
  readonly env: readonly string[];
  /** Descriptors that stay open, besides 0, 1 and 2. */
  readonly keep?: readonly number[];
}

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SIGPIPE = 13;
const SIG_DFL = 0;
const SIG_IGN = 1;
const SIG_SETMASK = 2;
/** glibc's and musl's sigset_t. */
const SIGSET_SIZE = 128;

/**
 * Becomes another program: same pid, parent, terminal and descriptors. Nothing of this one is run any
 * more, also no handler of its exit. Throws KernelError where the program cannot be executed.
 * execvpe(3), execve(2).
 */
export function replaceProcess({ argv, env, keep = [] }: ReplaceRequest): never {
  for (const fd of new Set([0, 1, 2, ...keep])) {
    const flags = syscall("fcntl", fd, fd, F_GETFD);
    syscall("fcntl", fd, fd, F_SETFD, flags & ~FD_CLOEXEC);
  }
  const strings = [...argv, ...env].map(cString);
  // What Node ignores and blocks (node --disable-sigusr1) would stay so in the next program.
  signal(SIG_DFL);
  const setMask = libcFunction("pthread_sigmask", "int", ["int", "void *", "void *"]);
  setMask(SIG_SETMASK, new Uint8Array(SIGSET_SIZE), null);
  return withAddresses(strings, (addresses) => {
    const pointers = (some: readonly bigint[]) => BigUint64Array.from([...some, 0n]);
    const execvpe = libcFunction("execvpe", "int", ["void *", "void *", "void *"]);
    const [argvPointers, envPointers] = [
      pointers(addresses.slice(0, argv.length)),
      pointers(addresses.slice(argv.length)),
    ];
    execvpe(strings[0], argvPointers, envPointers);
    const errno = koffi().errno();
    signal(SIG_IGN);
    throw new KernelError("execvpe", errno, argv[0] ?? "");
  });
}

function signal(action: number): void {
  libcFunction("signal", "intptr_t", ["int", "intptr_t"])(SIGPIPE, action);
}
