import { closeSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type { UndoStack } from "../base/undo.ts";
import { connectUnix } from "../ffi/index.ts";

/** Where the terminal's master goes: to whoever listens at the path, or through a socket of ours. */
export type ConsoleChoice =
  | { readonly kind: "socket"; readonly path: string | undefined }
  | { readonly kind: "descriptor"; readonly fd: number };

/** The connected socket that gets the terminal's master; undefined for a process without a terminal. */
export function openConsole(
  terminal: boolean,
  { console, foreground }: { readonly console: ConsoleChoice; readonly foreground: boolean },
  undo: UndoStack,
): number | undefined {
  if (console.kind === "descriptor") return terminal ? console.fd : undefined;
  if (terminal && console.path === undefined) {
    throw new TsrunError(
      "INVALID_ARGUMENT",
      "cannot allocate tty if runc will detach without setting console socket",
    );
  }
  if (console.path === undefined) return undefined;
  if (!terminal || foreground) {
    throw uselessConsole();
  }
  return connect(console.path, undo);
}

/** Nobody would send anything into the socket that was given. */
export function uselessConsole(): TsrunError {
  return new TsrunError(
    "INVALID_ARGUMENT",
    "cannot use console socket if runc will not detach or allocate tty",
  );
}

function connect(path: string, undo: UndoStack): number {
  try {
    const fd = connectUnix(path);
    undo.defer(() => closeSync(fd));
    return fd;
  } catch (cause) {
    if (!hasErrno(cause, "ENOENT", "ECONNREFUSED")) throw cause;
    const reason = hasErrno(cause, "ENOENT") ? "no such file or directory" : "connection refused";
    throw new TsrunError("NOT_FOUND", `dial unix ${path}: connect: ${reason}`, { cause });
  }
}
