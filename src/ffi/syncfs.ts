import { syscall } from "./libc.ts";

/** Writes what the file system behind the descriptor has not on its disk yet; it waits for it. syncfs(2). */
export function syncfs(fd: number): void {
  syscall("syncfs", `fd ${fd}`, fd);
}
