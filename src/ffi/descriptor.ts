import { syscall } from "./libc.ts";

const F_GETFD = 1;
const FD_CLOEXEC = 1;

/** Whether an exec closes the descriptor: what a program was started with has it off. fcntl(2). */
export function isCloseOnExec(fd: number): boolean {
  return (syscall("fcntl", fd, fd, F_GETFD) & FD_CLOEXEC) !== 0;
}
