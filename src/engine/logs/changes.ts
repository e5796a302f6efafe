/** Waking up when a log grows or is rotated. */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** inotify(7) can be used up (max_user_instances) or blind (network file systems): a look in any case. */
const LOOK_MS = 500;
const LOOK_UNWATCHED_MS = 100;

export class LogChanges implements Disposable {
  #watcher: FSWatcher | undefined;
  #changed: boolean = false;
  #wake: () => void = () => {};

  constructor(path: string) {
    const name = basename(path);
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, (_event, file) => {
        if (file === null || file.startsWith(name)) this.notify();
      });
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#unwatch(); // EMFILE, ENOSPC, ENOENT: then by time alone
    }
  }

  /** Ends the wait, or the next one if nobody waits now. */
  notify(): void {
    this.#changed = true;
    this.#wake();
  }

  async wait(): Promise<void> {
    if (!this.#changed) {
      const ms = this.#watcher === undefined ? LOOK_UNWATCHED_MS : LOOK_MS;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
    }
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    this.#unwatch();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
