import { type ErrorCode, hasErrno, TsrunError } from "../../base/errors.ts";

/**
 * What the file system answered to a change of the engine's own records, as a sentence. Anything that
 * is not an errno passes as it is.
 */
export function storeError(action: string, path: string, error: unknown): unknown {
  if (error instanceof TsrunError) return error;
  const errno = (error as { code?: unknown }).code;
  if (typeof errno !== "string") return error;
  const { code, reason, hint } = explain(error);
  return new TsrunError(code, `cannot ${action} "${path}": ${reason ?? errno}`, {
    hint,
    cause: error,
    errno,
  });
}

function explain(error: unknown): { code: ErrorCode; reason?: string; hint: string } {
  if (hasErrno(error, "ENOSPC", "EDQUOT")) {
    return {
      code: "NO_SPACE",
      reason: "the disk is full",
      hint: "Free some space: remove stopped containers with `tsrun rm`, or images with `tsrun image rm`.",
    };
  }
  if (hasErrno(error, "EROFS")) {
    return {
      code: "STORE_UNAVAILABLE",
      reason: "the file system is read-only",
      hint: "Mount it writable, or choose another directory with --root.",
    };
  }
  if (hasErrno(error, "EACCES", "EPERM")) {
    return {
      code: "PERMISSION",
      reason: "permission denied",
      hint: "Run tsrun as root, or choose a directory of your own with --root.",
    };
  }
  return {
    code: "STORE_UNAVAILABLE",
    hint: "Check the directory given by --root or TSRUN_ROOT, and the disk under it.",
  };
}

/** Runs a change of the store; its file system errors come out as sentences about `path`. */
export function inStore<T>(action: string, path: string, change: () => T): T {
  try {
    return change();
  } catch (error) {
    throw storeError(action, path, error);
  }
}
