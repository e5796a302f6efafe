/**
 * A terminal's modes and size. Node's own setRawMode leaves output processing on, which breaks programs
 * that send bare line feeds, and knows no size of a terminal that is only stdin. ioctl_tty(2).
 */
import { syscall } from "./libc.ts";

const TCGETS = 0x5401;
const TCSETSW = 0x5403;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;

/** The kernel's struct termios, include/uapi/asm-generic/termbits.h: four flag words, a line, 19 characters. */
export type Termios = Uint8Array;
const TERMIOS_SIZE = 36;
const FLAGS = { input: 0, output: 4, control: 8, local: 12 } as const;
const CHARACTERS = 17;
const VTIME = CHARACTERS + 5;
const VMIN = CHARACTERS + 6;

/** Throws KernelError ENOTTY for what is no terminal. */
export function tcgetattr(fd: number): Termios {
  const termios = new Uint8Array(TERMIOS_SIZE);
  syscall("ioctl", `fd ${fd}`, fd, TCGETS, termios);
  return termios;
}

/** After all output has been sent (TCSADRAIN). */
export function tcsetattr(fd: number, termios: Termios): void {
  syscall("ioctl", `fd ${fd}`, fd, TCSETSW, termios);
}

/** The same modes without any processing of input or output. termios(3), "Raw mode". */
export function cfmakeraw(termios: Termios): Termios {
  const raw = termios.slice();
  const view = new DataView(raw.buffer);
  const change = (at: number, clear: number, set = 0) =>
    view.setUint32(at, (view.getUint32(at, true) & ~clear) | set, true);
  // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  change(FLAGS.input, 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000);
  change(FLAGS.output, 0o1); // OPOST
  change(FLAGS.control, 0o60 | 0o400, 0o60); // CSIZE and PARENB; CS8
  // ISIG ICANON ECHO ECHONL IEXTEN
  change(FLAGS.local, 0o1 | 0o2 | 0o10 | 0o100 | 0o100000);
  raw[VMIN] = 1;
  raw[VTIME] = 0;
  return raw;
}

/** Throws KernelError ENOTTY for what is no terminal. */
export function readWindowSize(fd: number): { readonly rows: number; readonly cols: number } {
  const size = new DataView(new ArrayBuffer(8));
  syscall("ioctl", `fd ${fd}`, fd, TIOCGWINSZ, new Uint8Array(size.buffer));
  return { rows: size.getUint16(0, true), cols: size.getUint16(2, true) };
}

/** Tells the programs behind a terminal's master how large it is. */
export function writeWindowSize(
  fd: number,
  { rows, cols }: { readonly rows: number; readonly cols: number },
): void {
  const size = new DataView(new ArrayBuffer(8));
  size.setUint16(0, rows, true);
  size.setUint16(2, cols, true);
  syscall("ioctl", `fd ${fd}`, fd, TIOCSWINSZ, new Uint8Array(size.buffer));
}
