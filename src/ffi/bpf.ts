/**
 * bpf(2), as far as a cgroup's device filter needs it. Struct offsets are those of union bpf_attr in
 * include/uapi/linux/bpf.h; a longer kernel struct is fine, what we do not pass counts as zero.
 */
import { hasErrno, TsrunError } from "../base/errors.ts";
import { cString, syscall, withAddresses } from "./libc.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_PROG_QUERY = 16;

const INSTRUCTION_SIZE = 8;
const LOG_SIZE = 64 * 1024;

export interface BpfProgram {
  /** BPF_PROG_TYPE_*, e.g. 15 for CGROUP_DEVICE. */
  readonly type: number;
  /** BPF_* attach type, e.g. 6 for CGROUP_DEVICE; only some program types look at it. */
  readonly expectedAttachType?: number;
  /** struct bpf_insn[], 8 bytes each. */
  readonly instructions: Uint8Array;
  /** At most 15 letters, digits, "_" or "."; bpftool shows it. */
  readonly name?: string;
}

/**
 * Loads a program and returns its descriptor (close-on-exec). If the verifier refuses it, the error's
 * hint is the last line of the verifier's log. bpf(2) BPF_PROG_LOAD.
 */
export function bpfProgLoad(program: BpfProgram): number {
  try {
    return load(program, undefined);
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "EACCES")) throw error;
    // The log costs time and memory, so only the second attempt asks for it.
    return loadWithLog(program);
  }
}

function loadWithLog(program: BpfProgram): number {
  const log = new Uint8Array(LOG_SIZE);
  try {
    return load(program, log);
  } catch (cause) {
    const text = Buffer.from(log).toString().replaceAll("\0", "").trim();
    throw new TsrunError("SYSTEM", `the kernel refused the BPF program "${program.name ?? ""}"`, {
      cause,
      hint:
        text === "" ? "The verifier gave no reason." : `The verifier says: ${text.slice(-1000)}`,
      ...((cause as { errno?: string }).errno && { errno: (cause as { errno: string }).errno }),
    });
  }
}

function load(
  { type, expectedAttachType = 0, instructions, name = "" }: BpfProgram,
  log: Uint8Array | undefined,
): number {
  const attr = new DataView(new ArrayBuffer(72));
  const memory = [instructions, cString("Apache-2.0"), ...(log ? [log] : [])];
  return withAddresses(memory, ([instructionsAt = 0n, licenseAt = 0n, logAt = 0n]) => {
    attr.setUint32(0, type, true);
    attr.setUint32(4, instructions.length / INSTRUCTION_SIZE, true);
    attr.setBigUint64(8, instructionsAt, true);
    attr.setBigUint64(16, licenseAt, true);
    attr.setUint32(24, log ? 1 : 0, true);
    attr.setUint32(28, log?.length ?? 0, true);
    attr.setBigUint64(32, logAt, true);
    new Uint8Array(attr.buffer, 48, 16).set(Buffer.from(name).subarray(0, 15));
    attr.setUint32(68, expectedAttachType, true);
    return bpf(BPF_PROG_LOAD, attr, name);
  });
}

/** Replaces one program that is attached already. */
const BPF_F_REPLACE = 4;
/** Lets programs of descendants and of this cgroup run too. */
export const BPF_F_ALLOW_MULTI = 2;

export interface BpfAttachment {
  /** For cgroup programs the cgroup's directory, opened. */
  readonly targetFd: number;
  readonly attachType: number;
}

/** Attaches a program; with `replaceFd` in the place of that one. bpf(2) BPF_PROG_ATTACH. */
export function bpfProgAttach(
  { targetFd, attachType }: BpfAttachment,
  programFd: number,
  { flags = 0, replaceFd }: { flags?: number; replaceFd?: number } = {},
): void {
  const attr = new DataView(new ArrayBuffer(20));
  attr.setUint32(0, targetFd, true);
  attr.setUint32(4, programFd, true);
  attr.setUint32(8, attachType, true);
  attr.setUint32(12, replaceFd === undefined ? flags : flags | BPF_F_REPLACE, true);
  attr.setUint32(16, replaceFd ?? 0, true);
  bpf(BPF_PROG_ATTACH, attr, `fd ${targetFd}`);
}

/** bpf(2) BPF_PROG_DETACH; ENOENT if it is not attached. */
export function bpfProgDetach({ targetFd, attachType }: BpfAttachment, programFd: number): void {
  const attr = new DataView(new ArrayBuffer(12));
  attr.setUint32(0, targetFd, true);
  attr.setUint32(4, programFd, true);
  attr.setUint32(8, attachType, true);
  bpf(BPF_PROG_DETACH, attr, `fd ${targetFd}`);
}

/** The ids of the programs attached to this cgroup itself, in their order. bpf(2) BPF_PROG_QUERY. */
export function bpfProgQuery({ targetFd, attachType }: BpfAttachment): readonly number[] {
  const ids = new Uint32Array(64); // BPF_CGROUP_MAX_PROGS
  return withAddresses([new Uint8Array(ids.buffer)], ([idsAt = 0n]) => {
    const attr = new DataView(new ArrayBuffer(32));
    attr.setUint32(0, targetFd, true);
    attr.setUint32(4, attachType, true);
    attr.setBigUint64(16, idsAt, true);
    attr.setUint32(24, ids.length, true);
    bpf(BPF_PROG_QUERY, attr, `fd ${targetFd}`);
    return [...ids.subarray(0, attr.getUint32(24, true))];
  });
}

/** A descriptor of a loaded program; ENOENT if it is gone. bpf(2) BPF_PROG_GET_FD_BY_ID. */
export function bpfProgOpen(id: number): number {
  const attr = new DataView(new ArrayBuffer(12));
  attr.setUint32(0, id, true);
  return bpf(BPF_PROG_GET_FD_BY_ID, attr, `program ${id}`);
}

/** Type, id and name of a program. struct bpf_prog_info, bpf(2) BPF_OBJ_GET_INFO_BY_FD. */
export function bpfProgInfo(programFd: number): { type: number; id: number; name: string } {
  const info = new DataView(new ArrayBuffer(80));
  return withAddresses([new Uint8Array(info.buffer)], ([infoAt = 0n]) => {
    const attr = new DataView(new ArrayBuffer(16));
    attr.setUint32(0, programFd, true);
    attr.setUint32(4, info.byteLength, true);
    attr.setBigUint64(8, infoAt, true);
    bpf(BPF_OBJ_GET_INFO_BY_FD, attr, `fd ${programFd}`);
    const name = Buffer.from(info.buffer, 64, 16).toString().replace(/\0.*$/s, "");
    return { type: info.getUint32(0, true), id: info.getUint32(4, true), name };
  });
}

function bpf(command: number, attr: DataView, subject: string): number {
  return syscall("bpf", subject, command, new Uint8Array(attr.buffer), attr.byteLength);
}
