import { type ErrorCode, TsrunError } from "../base/errors.ts";
import { errnoMeaning, errnoName } from "./errno.ts";

/**
 * The kernel refused one system call. `errno` is its name ("EACCES"), so that `hasErrno` works;
 * whoever knows what the call was for catches it and throws a TsrunError that says so, with this as
 * the cause. Uncaught, it is still one clear sentence.
 */
export class KernelError extends TsrunError {
  declare readonly errno: string;
  /** The number, for comparison with reports that come from C. */
  readonly number: number;
  /** The system call or C function, e.g. "mount". */
  readonly syscall: string;
  /** What it was asked for: a path, a name, a descriptor. */
  readonly subject: string;

  constructor(syscall: string, number: number, subject: string) {
    const errno = errnoName(number);
    const what = subject === "" ? syscall : `${syscall} "${subject}"`;
    super(codeOf(errno), `${what} failed: ${errno}, ${errnoMeaning(number)}`, { errno });
    this.number = number;
    this.syscall = syscall;
    this.subject = subject;
  }
}

function codeOf(errno: string): ErrorCode {
  switch (errno) {
    case "EPERM":
    case "EACCES":
      return "PERMISSION";
    case "ENOSPC":
    case "EDQUOT":
      return "NO_SPACE";
    case "ENOSYS":
      return "UNSUPPORTED";
    default:
      return "SYSTEM";
  }
}
