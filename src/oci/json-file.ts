/**
 * Files of JSON that a caller names. Who wrote them may mean harm: what is no file, and what has no end, is
 * refused, and not waited for.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { getSystemErrorMessage } from "node:util";
import { TsrunError } from "../base/errors.ts";

/** Far more than an engine writes. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The text of a file on disk. Throws NOT_FOUND, PERMISSION, INVALID_SPEC. */
export function readJsonFile(path: string): string {
  const fd = named(path, () => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new TsrunError("INVALID_SPEC", `${path} is not a regular file`);
    if (stat.size <= MAX_BYTES) return readFileSync(fd, "utf8");
    throw new TsrunError("INVALID_SPEC", `${path} has ${stat.size} bytes; ${MAX_BYTES} are read`);
  } finally {
    closeSync(fd);
  }
}

/** The text of a file, or of a pipe, as of a shell's "<(…)". Throws NOT_FOUND, PERMISSION, INVALID_SPEC. */
export function readJsonStream(path: string): string {
  return named(path, () => readFileSync(path, "utf8"));
}

/** Tells a failure of `look`, a system call, in the kernel's words, as runc does. */
export function named<T>(path: string, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    const { syscall, errno, code } = cause as NodeJS.ErrnoException;
    if (syscall === undefined || errno === undefined || code === undefined) throw cause;
    const message = `${syscall} ${path}: ${getSystemErrorMessage(errno)}`;
    throw new TsrunError(CODES[code] ?? "INVALID_SPEC", message, { cause, errno: code });
  }
}

const CODES = {
  ENOENT: "NOT_FOUND",
  EACCES: "PERMISSION",
  EPERM: "PERMISSION",
} as Readonly<Record<string, "NOT_FOUND" | "PERMISSION">>;
