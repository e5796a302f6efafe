/**
 * The user's terminal without line editing, echo and signals while a container has it; given back on
 * every way out: the end, an exception, a signal, process.exit. A stop (SIGTSTP) gives it back until
 * the process is continued.
 */
import { isatty } from "node:tty";
import { cfmakeraw, type Termios, tcgetattr, tcsetattr } from "../../ffi/index.ts";

const FATAL = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

export class RawMode implements Disposable {
  readonly #fd: number;
  readonly #before: Termios;
  readonly #onContinue: () => void;
  #raw: boolean = false;

  /** `onContinue` is told when the process goes on after a stop. */
  constructor(fd: number, onContinue: () => void) {
    this.#fd = fd;
    this.#before = tcgetattr(fd);
    this.#onContinue = onContinue;
    process.on("exit", this.#leave);
    for (const signal of FATAL) process.on(signal, this.#die);
    process.on("SIGTSTP", this.#stop);
    process.on("SIGCONT", this.#continue);
    this.#enter();
  }

  readonly #enter = (): void => {
    tcsetattr(this.#fd, cfmakeraw(this.#before));
    this.#raw = true;
  };

  readonly #leave = (): void => {
    const wasRaw = this.#raw;
    this.#raw = false;
    // A terminal that hung up has no modes any more.
    if (wasRaw && isatty(this.#fd)) tcsetattr(this.#fd, this.#before);
  };

  /** Dies of the signal, as without us, so that the shell sees what happened. */
  readonly #die = (signal: NodeJS.Signals): void => {
    this[Symbol.dispose]();
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };

  readonly #stop = (): void => {
    this.#leave();
    process.kill(process.pid, "SIGSTOP");
  };

  readonly #continue = (): void => {
    this.#enter();
    this.#onContinue();
  };

  [Symbol.dispose](): void {
    this.#leave();
    process.off("exit", this.#leave);
    for (const signal of FATAL) process.off(signal, this.#die);
    process.off("SIGTSTP", this.#stop);
    process.off("SIGCONT", this.#continue);
  }
}
