import { TsrunError } from "../base/errors.ts";
import { koffi } from "./koffi.ts";

/**
 * Resolves when reading `fd` would not block: data, end of file, or, for a pidfd, the process's exit.
 * No thread waits; the event loop polls. Rejects with ABORTED when `signal` fires first.
 * `fd` must stay open until then.
 */
export function waitReadable(fd: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted(signal));
      return;
    }
    const handle = koffi().node.poll(fd, { readable: true }, () => {
      finish();
      resolve();
    });
    const onAbort = () => {
      finish();
      reject(aborted(signal));
    };
    const finish = () => {
      handle.close();
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** The error that an aborted wait rejects with. */
export function aborted(signal: AbortSignal | undefined): TsrunError {
  return new TsrunError("ABORTED", "the wait was aborted", { cause: signal?.reason });
}
