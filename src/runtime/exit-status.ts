/** How a container's first process, or one executed in it, ended. */
export type ExitStatus =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: number };

/** As a shell counts it: the code, or 128 and the signal's number. */
export function exitStatusCode(status: ExitStatus): number {
  return status.kind === "exited" ? status.code : 128 + status.signal;
}
