import { constants } from "node:os";
import { unblockSignal } from "../../ffi/index.ts";

/**
 * The signals that tsrun gets while it stands for a container in the foreground. Before the container
 * runs, those that end a process end the start; afterwards all of them are passed on.
 */
const ENDING: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"];

/**
 * Left out: what cannot be caught (KILL, STOP), what is about this process alone (CHLD, PIPE, WINCH,
 * faults), and job control (TSTP, TTIN, TTOU, CONT): ctrl-Z stops tsrun as it stops any other job.
 */
const PASSED_ON: readonly NodeJS.Signals[] = [
  ...ENDING,
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGURG",
  "SIGIO",
  "SIGPWR",
  "SIGXCPU",
  "SIGXFSZ",
];

export class SignalProxy implements Disposable {
  readonly #start = new AbortController();
  readonly #early: NodeJS.Signals[] = [];
  #send: ((signal: NodeJS.Signals) => void) | undefined;
  #endedBy: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of PASSED_ON) process.on(signal, this.#receive);
    // node --disable-sigusr1 leaves it blocked, whoever listens.
    unblockSignal("SIGUSR1");
  }

  /** Fires at an ending signal that comes before `passTo`. */
  get startSignal(): AbortSignal {
    return this.#start.signal;
  }

  /** The number of the signal that ended the start; undefined where none did. */
  get endedBy(): number | undefined {
    return this.#endedBy && constants.signals[this.#endedBy];
  }

  /** From now on signals go there; those that came during the start first. */
  passTo(send: (signal: NodeJS.Signals) => void): void {
    this.#send = send;
    for (const signal of this.#early.splice(0)) send(signal);
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    if (this.#send) {
      this.#send(signal);
    } else if (ENDING.includes(signal)) {
      this.#endedBy ??= signal;
      this.#start.abort(signal);
    } else {
      this.#early.push(signal);
    }
  };

  [Symbol.dispose](): void {
    for (const signal of PASSED_ON) process.off(signal, this.#receive);
  }
}
