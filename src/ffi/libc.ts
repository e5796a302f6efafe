/**
 * Calls into libc: `syscall` for everything the kernel does itself, `libcFunction` for the few things
 * that are more than one system call (posix_spawn). Each is bound on its first use.
 */
import { TsrunError } from "../base/errors.ts";
import { KernelError } from "./kernel-error.ts";
import { koffi, type NativeFunction } from "./koffi.ts";
import { type SyscallName, syscallNumber } from "./syscall-numbers.ts";

/** What a register can hold: an integer, an address, or memory whose address is passed. */
export type Argument = number | bigint | Uint8Array | null;

const functions = new Map<string, NativeFunction>();

/** A function of the C library, by koffi's type names. */
export function libcFunction(
  name: string,
  result: string,
  parameters: readonly string[],
): NativeFunction {
  let bound = functions.get(name);
  if (!bound) {
    bound = koffi().load(null).func(name, result, parameters);
    functions.set(name, bound);
  }
  return bound;
}

const POINTER = "void *";
const SYSCALL_PARAMETERS = ["long", POINTER, POINTER, POINTER, POINTER, POINTER, POINTER];

/**
 * One system call; throws KernelError. `subject` is the thing that the error names.
 * EINTR is not retried: no call of this module sleeps, and Node installs its handlers with SA_RESTART.
 * syscall(2).
 */
export function syscall(
  name: SyscallName,
  subject: string | number | Uint8Array,
  ...[a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]: readonly Argument[]
): number {
  const call = libcFunction("syscall", "long", SYSCALL_PARAMETERS);
  const result = Number(call(syscallNumber(name, arch()), a, b, c, d, e, f));
  if (result === -1) throw new KernelError(name, koffi().errno(), subjectText(subject));
  return result;
}

/** Like `syscall`, for a call that hands out nothing and whose errno is the answer: 0 for success. */
export function syscallErrno(name: SyscallName, ...args: readonly Argument[]): number {
  try {
    syscall(name, "", ...args);
    return 0;
  } catch (error) {
    if (error instanceof KernelError) return error.number;
    throw error;
  }
}

function arch(): "x64" | "arm64" {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new TsrunError("UNSUPPORTED", `tsrun does not run on the architecture "${process.arch}"`, {
    hint: "Use an x86-64 or arm64 machine.",
  });
}

/** A path or name: text, or the bytes themselves where they may not be UTF-8 (archives). */
export type Text = string | Uint8Array;

/** A C string. Throws INVALID_ARGUMENT for an inner NUL, at which the kernel would silently stop. */
export function cString(text: Text): Uint8Array {
  const bytes = typeof text === "string" ? Buffer.from(`${text}\0`) : Buffer.concat([text, NUL]);
  if (bytes.indexOf(0) !== bytes.length - 1) {
    throw new TsrunError(
      "INVALID_ARGUMENT",
      `${JSON.stringify(subjectText(text))} contains a NUL byte`,
      { hint: "Paths and names cannot contain NUL." },
    );
  }
  return bytes;
}

const NUL = new Uint8Array(1);

/** A C string, or NULL for undefined. */
export function cStringOrNull(text: Text | undefined): Uint8Array | null {
  return text === undefined ? null : cString(text);
}

/**
 * Runs `call` with the addresses of memory that a struct points to. The references are held in the
 * module meanwhile: V8 may collect a buffer after its last visible use, which is before the call.
 */
export function withAddresses<T>(
  memory: readonly Uint8Array[],
  call: (addresses: readonly bigint[]) => T,
): T {
  pinned.add(memory);
  try {
    return call(memory.map((bytes) => koffi().address(bytes)));
  } finally {
    pinned.delete(memory);
  }
}

const pinned = new Set<readonly Uint8Array[]>();

/** A path or descriptor as an error names it. */
export function subjectText(subject: string | number | Uint8Array): string {
  return subject instanceof Uint8Array ? Buffer.from(subject).toString() : String(subject);
}
