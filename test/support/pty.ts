/**
 * A program in a terminal of its own, as a person sits before it: what it shows, what is typed, how
 * large the window is, and in which mode it leaves the terminal.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { syscall } from "../../src/ffi/libc.ts";
import { tcgetattr } from "../../src/ffi/termios.ts";

/** ioctl_tty(2) */
const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTN = 0x8004_5430;
const TIOCSWINSZ = 0x5414;

export interface PtyOptions {
  readonly rows?: number;
  readonly cols?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface PtyExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Pty implements AsyncDisposable {
  /** Everything shown so far. */
  output = "";
  readonly exit: Promise<PtyExit>;
  readonly child: ChildProcess;
  readonly #master: number;
  /** Ours, so that the terminal has modes to look at and output to read when nobody else has it open. */
  readonly #slave: number;
  readonly #stream: ReadStream;
  /** Of `output`: where the next `waitFor` begins to look. */
  #seen = 0;

  constructor(
    command: string,
    args: readonly string[],
    { rows = 24, cols = 80, env = {} }: PtyOptions = {},
  ) {
    this.#master = openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY);
    ioctl(this.#master, TIOCSPTLCK, new Int32Array([0]));
    const number = new Uint32Array(1);
    ioctl(this.#master, TIOCGPTN, number);
    this.#slave = openSync(`/dev/pts/${number[0]}`, constants.O_RDWR | constants.O_NOCTTY);
    this.resize({ rows, cols });
    // setsid(1) makes the terminal the controlling one; it becomes the program itself.
    this.child = spawn("setsid", ["--ctty", command, ...args], {
      stdio: [this.#slave, this.#slave, this.#slave],
      env: { ...process.env, TERM: "xterm", ...env },
    });
    this.exit = new Promise((resolve) =>
      this.child.on("exit", (code, signal) => resolve({ code, signal })),
    );
    this.#stream = new ReadStream(this.#master);
    this.#stream.on("data", (chunk: Buffer) => {
      this.output += chunk.toString("latin1");
    });
    this.#stream.on("error", () => {}); // EIO: nobody has the terminal open any more
  }

  type(text: string): void {
    this.#stream.write(Buffer.from(text, "latin1"));
  }

  resize({ rows, cols }: { readonly rows: number; readonly cols: number }): void {
    ioctl(this.#master, TIOCSWINSZ, new Uint16Array([rows, cols, 0, 0]));
  }

  /** The terminal's modes, to be compared. */
  modes(): string {
    return Buffer.from(tcgetattr(this.#slave)).toString("hex");
  }

  /** Waits until something that was not waited for before is shown; fails with what is there instead. */
  async waitFor(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(this.output.slice(this.#seen));
      if (match) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      if (performance.now() > deadline) {
        const rest = JSON.stringify(this.output.slice(this.#seen));
        throw new Error(`${pattern} is not shown within ${timeoutMs} ms, but ${rest}`);
      }
      await sleep(10);
    }
  }

  /** Closes the window: whoever sits in it gets SIGHUP. */
  close(): void {
    if (this.#stream.destroyed) return;
    this.#stream.destroy();
    closeSync(this.#slave);
  }

  async waitForExit(timeoutMs = 20_000): Promise<PtyExit> {
    const late = sleep(timeoutMs, undefined, { ref: false }).then(() => {
      throw new Error(`still running after ${timeoutMs} ms: ${JSON.stringify(this.output)}`);
    });
    return Promise.race([this.exit, late]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGKILL");
      await this.exit;
    }
    this.close();
  }
}

function ioctl(fd: number, request: number, data: ArrayBufferView): void {
  syscall("ioctl", `fd ${fd}`, fd, request, new Uint8Array(data.buffer));
}
