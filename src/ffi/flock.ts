import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno } from "../base/errors.ts";
import { syscall } from "./libc.ts";
import { aborted } from "./poll.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

export type LockKind = "shared" | "exclusive";

/** Takes the lock if it is free; false if somebody else holds it. flock(2). */
export function tryFlock(fd: number, kind: LockKind): boolean {
  try {
    syscall("flock", fd, fd, (kind === "shared" ? LOCK_SH : LOCK_EX) | LOCK_NB);
    return true;
  } catch (error) {
    if (hasErrno(error, "EAGAIN")) return false;
    throw error;
  }
}

/** Gives the lock back before the descriptor is closed. */
export function funlock(fd: number): void {
  syscall("flock", fd, fd, LOCK_UN);
}

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;

/**
 * Takes the lock, waiting as long as it takes; rejects with ABORTED.
 *
 * It asks again and again, at first each millisecond, later forty times a second. A blocking flock(2)
 * on a worker thread would wake up sooner but cannot be aborted, and four of them would occupy
 * libuv's whole pool: the holder, if it is in this process, could then not even read the file that
 * it needs before it can let go.
 */
export async function flock(fd: number, kind: LockKind, signal?: AbortSignal): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; !tryFlock(fd, kind); ) {
    // Waiters that started together should not keep asking together.
    await pause(pauseMs * (0.5 + Math.random()), signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

async function pause(pauseMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(pauseMs, undefined, signal && { signal });
  } catch (error) {
    throw signal?.aborted ? aborted(signal) : error;
  }
}
