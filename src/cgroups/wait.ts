import { setTimeout as sleep } from "node:timers/promises";
import { TsrunError } from "../base/errors.ts";

/** How long something of a cgroup may take. */
export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const FIRST_DELAY_MS = 1;
const LONGEST_DELAY_MS = 32;
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Asks again and again, ever more slowly, until the answer is yes. Throws TIMEOUT with this
 * sentence, or ABORTED. What is waited for here takes a few milliseconds unless something is wrong.
 */
export async function waitUntil(
  check: () => boolean,
  otherwise: string,
  { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: WaitOptions = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let delay = FIRST_DELAY_MS; !check(); delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
    if (signal?.aborted) throw aborted(otherwise, signal.reason);
    if (performance.now() >= deadline) {
      throw new TsrunError("TIMEOUT", `${otherwise} within ${timeoutMs} ms`);
    }
    await sleep(delay);
  }
}

function aborted(otherwise: string, cause: unknown): TsrunError {
  return new TsrunError("ABORTED", `${otherwise}: the wait was aborted`, { cause });
}
