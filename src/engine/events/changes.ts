import { watch } from "node:fs";
import { TsrunError } from "../../base/errors.ts";
import { makeDirectories } from "../../base/make-directories.ts";
import { inStore } from "../store/store-error.ts";

/**
 * Sleeps until something in the directory changes (inotify). A change between two calls of `next` is
 * not missed: the second then resolves at once.
 */
export class DirectoryChanges implements Disposable {
  readonly #watcher: { close(): void };
  #changed: boolean = false;
  #wake: (() => void) | undefined;

  constructor(directory: string) {
    inStore("make", directory, () => makeDirectories(directory, 0o711));
    this.#watcher = openWatcher(directory, () => {
      this.#changed = true;
      this.#wake?.();
    });
  }

  /** Resolves at the next change; "over" at `until` or when the signal fires. */
  next({ until, signal }: { until?: Date | undefined; signal?: AbortSignal | undefined }) {
    return new Promise<"changed" | "over">((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const finish = (how: "changed" | "over") => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        this.#wake = undefined;
        this.#changed = false;
        resolve(how);
      };
      const stop = () => finish("over");
      if (signal?.aborted) return stop();
      if (this.#changed) return finish("changed");
      signal?.addEventListener("abort", stop, { once: true });
      this.#wake = () => finish("changed");
      if (until) timer = setTimeout(stop, timerDelay(until));
    });
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}

/** setTimeout's largest delay is about 25 days; a later `until` only wakes the loop once too often. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function timerDelay(until: Date): number {
  return Math.min(LONGEST_TIMER_MS, Math.max(0, until.getTime() - Date.now()));
}

function openWatcher(directory: string, onChange: () => void): { close(): void } {
  try {
    return watch(directory, onChange);
  } catch (error) {
    throw new TsrunError("SYSTEM", `cannot watch "${directory}" for events: ${String(error)}`, {
      cause: error,
      hint: "The limit of inotify watches may be reached: see /proc/sys/fs/inotify.",
    });
  }
}
