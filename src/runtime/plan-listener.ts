/**
 * The seccomp agent: where a filter's listener goes, and what is told with it. OCI config-linux.md,
 * "Seccomp" and "The Container Process State".
 */
import { TsrunError } from "../base/errors.ts";
import type { OciSeccomp, OciSyscallRule } from "../spec/index.ts";

/** Who answers for a filter's SCMP_ACT_NOTIFY. */
export interface SeccompListener {
  /** A listening Unix socket. */
  readonly path: string;
  /** What is sent with the listener; the process's pid takes the place of each NUL. */
  readonly message: string;
}

/** The container's state as the agent is told it. OCI runtime.md, "State". */
export interface ListenerState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: "creating" | "running";
  /** Absent: the process that the filter is for is the container's first. */
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const NOTIFY = "SCMP_ACT_NOTIFY";
/** The call with which the listener itself is handed over, before anybody could answer for it. */
const HANDOVER = "sendmsg";
/** struct sockaddr_un, unix(7). */
const MAX_PATH_BYTES = 107;

/**
 * Undefined for a filter that notifies nobody, whatever else it says. Throws INVALID_SPEC for one whose
 * notifications nobody would get or answer.
 */
export function planListener(
  seccomp: OciSeccomp,
  state: ListenerState,
): SeccompListener | undefined {
  const { defaultAction, listenerPath: path, listenerMetadata, syscalls = [] } = seccomp;
  if (defaultAction === NOTIFY) {
    throw invalid("linux.seccomp.defaultAction", "every call would wait for an agent", {
      hint: "Name the calls that the agent answers for.",
    });
  }
  const notifying = syscalls.findIndex(({ action }) => action === NOTIFY);
  if (notifying === -1) return undefined;
  assertNotHandover(syscalls);
  if (path === undefined) {
    const origin = `linux.seccomp.syscalls[${notifying}].action`;
    throw invalid(origin, `${NOTIFY} needs linux.seccomp.listenerPath`);
  }
  if (!path.startsWith("/") || Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw invalid(
      "linux.seccomp.listenerPath",
      `"${path}" is not an absolute path of at most ${MAX_PATH_BYTES} bytes`,
    );
  }
  return { path, message: processState(state, listenerMetadata) };
}

function assertNotHandover(syscalls: readonly OciSyscallRule[]): void {
  const index = syscalls.findIndex(
    ({ action, names }) => action === NOTIFY && names.includes(HANDOVER),
  );
  if (index === -1) return;
  throw invalid(
    `linux.seccomp.syscalls[${index}].names`,
    `the agent cannot answer for ${HANDOVER}, with which it gets the listener`,
  );
}

/** JSON in which each NUL stands for the process's pid. */
function processState({ pid, ...state }: ListenerState, metadata: string | undefined): string {
  const own = "\0";
  return JSON.stringify({
    ociVersion: state.ociVersion,
    fds: ["seccompFd"],
    pid: own,
    ...(metadata === undefined ? {} : { metadata }),
    state: { ...state, pid: pid ?? own },
  }).replaceAll(JSON.stringify(own), own);
}

function invalid(
  origin: string,
  what: string,
  options: { readonly hint?: string } = {},
): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: ${what}`, { origin, ...options });
}
