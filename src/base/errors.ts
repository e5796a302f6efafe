/**
 * Every failure that a user can meet is a TsrunError: a stable code, one sentence, a hint.
 * Anything else that reaches `cli/main.ts` is a bug and prints its stack.
 */

/** The stable codes. They are part of the public interface: add, never rename. */
export const ERROR_CODES = {
  INVALID_ARGUMENT: "a flag, name, path or value that was typed is wrong",
  INVALID_SPEC: "a field of a specification is wrong; the message names it",
  NOT_FOUND: "no such container, image, volume, file or process",
  NAME_IN_USE: "another container or volume has this name",
  AMBIGUOUS_NAME: "the beginning of an id fits several containers, images or volumes",
  WRONG_STATE: "the container's state does not allow this command",
  COMMAND_NOT_FOUND: "the command does not exist in the container (exit status 127)",
  COMMAND_NOT_EXECUTABLE: "the command cannot be executed in the container (exit status 126)",
  LAUNCH_FAILED: "a kernel request of the launch plan failed; the message names its origin",
  CGROUP_UNAVAILABLE: "a cgroup v2 controller or the hierarchy itself is missing",
  OVERLAY_UNSUPPORTED: "the file system cannot carry an overlay",
  UNSUPPORTED: "this kernel or this version of tsrun cannot do it",
  PERMISSION: "the kernel or the file system refused it to this user",
  STORE_UNAVAILABLE: "the state or data directory cannot be read or written",
  NO_SPACE: "the disk is full",
  BUILD_FAILED: "a command of a build ended with an error; the message names its line",
  IMAGE_INVALID: "an image or archive is malformed or hostile",
  REGISTRY_UNAVAILABLE: "a registry cannot be reached, or answers with an error",
  REGISTRY_DENIED: "a registry refuses these credentials, or wants some",
  SUPERVISOR_LOST: "the container's supervisor is gone",
  TIMEOUT: "something did not happen in time",
  ABORTED: "the caller's AbortSignal ended it",
  SYSTEM: "the kernel refused a request outside a launch; the message names it",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface TsrunErrorOptions {
  /** What the user can do about it, as a full sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** The kernel's error by name, e.g. "EACCES", where one is behind it. */
  readonly errno?: string;
  /** The configuration field at fault, e.g. "mounts[3]". */
  readonly origin?: string;
}

export class TsrunError extends Error {
  override readonly name = "TsrunError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly errno: string | undefined;
  readonly origin: string | undefined;

  constructor(code: ErrorCode, message: string, options: TsrunErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.errno = options.errno;
    this.origin = options.origin;
  }
}

/** True for an error that carries this errno name: a TsrunError, a KernelError, or Node's own fs errors. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  return names.some((name) => errno === name || code === name);
}
