/**
 * The descriptors that a container gets besides its stdio: those of systemd's socket activation
 * (sd_listen_fds(3)), then as many as --preserve-fds says, from 3 on without a gap.
 */
import { fstatSync } from "node:fs";
import { hasErrno, TsrunError } from "../base/errors.ts";

const FIRST = 3;
const MAX_FDS = 200;

export interface PassedDescriptors {
  readonly fds: readonly number[];
  /** For the program's environment. */
  readonly env: readonly string[];
}

/** Throws INVALID_ARGUMENT for one that the caller did not open. */
export function passedDescriptors(preserve: string | undefined): PassedDescriptors {
  const listen = listenFds();
  const count = listen + parseCount(preserve);
  const fds = Array.from({ length: count }, (_, index) => FIRST + index);
  for (const fd of fds) checkPassed(fd, count);
  return { fds, env: listen > 0 ? [`LISTEN_FDS=${listen}`, "LISTEN_PID=1"] : [] };
}

function listenFds(): number {
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  return LISTEN_PID === String(process.pid) ? parseCount(LISTEN_FDS) : 0;
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return 0;
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= MAX_FDS) return count;
  throw new TsrunError("INVALID_ARGUMENT", `invalid number of descriptors "${text}"`);
}

/**
 * Whether the caller passed it. bin/tsrun-oci has counted them: Node closes on exec what it inherits and
 * opens descriptors of its own, so here one cannot be told from the other.
 */
function checkPassed(fd: number, count: number): void {
  const passed = process.env["TSRUN_OCI_FDS"];
  if (isOpen(fd) && (passed === undefined || fd < FIRST + Number(passed))) return;
  throw new TsrunError(
    "INVALID_ARGUMENT",
    `please check that preserved-fd ${fd} (of ${count}) is present`,
  );
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch (error) {
    if (hasErrno(error, "EBADF")) return false;
    throw error;
  }
}

/** Of the null device and its like (devices.txt, 1 char), which are everybody's. */
const MEMORY_DEVICES = 1;

/** Which of 0, 1 and 2 the user must be given to be able to reopen them; never the host's null device or its like. */
export function stdioToOwn(uid: number): readonly number[] {
  return [0, 1, 2].filter((fd) => {
    if (!isOpen(fd)) return false;
    const stat = fstatSync(fd);
    const everybodys = stat.isCharacterDevice() && stat.rdev >> 8 === MEMORY_DEVICES;
    return stat.uid !== uid && !everybodys;
  });
}
