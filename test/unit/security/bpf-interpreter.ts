/**
 * What a seccomp filter answers to one system call: an interpreter for the part of classic BPF that
 * seccomp(2) admits, so that whole filters can be tested as values.
 */

export interface SyscallAttempt {
  readonly nr: number;
  /** AUDIT_ARCH_*. */
  readonly arch: number;
  readonly args?: readonly bigint[];
}

/** struct seccomp_data: nr, arch, instruction pointer, six arguments. */
function seccompData({ nr, arch, args = [] }: SyscallAttempt): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setInt32(0, nr, true);
  data.setUint32(4, arch, true);
  for (const [index, arg] of args.entries()) {
    data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, arg), true);
  }
  return data;
}

const BPF_LD_W_ABS = 0x20;
const BPF_RET_K = 0x06;
const BPF_ALU_AND_K = 0x54;
const BPF_JA = 0x05;
const JUMPS: Readonly<Record<number, (a: number, k: number) => boolean>> = {
  [0x15]: (a, k) => a === k,
  [0x25]: (a, k) => a > k,
  [0x35]: (a, k) => a >= k,
  [0x45]: (a, k) => (a & k) !== 0,
};

/** The filter's 32-bit answer, SECCOMP_RET_*. Throws for an instruction that it does not know. */
export function runFilter(filter: Uint8Array, attempt: SyscallAttempt): number {
  const program = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const data = seccompData(attempt);
  let accumulator = 0;
  for (let at = 0; at * 8 < filter.length; at++) {
    const code = program.getUint16(at * 8, true);
    const [jt, jf] = [program.getUint8(at * 8 + 2), program.getUint8(at * 8 + 3)];
    const k = program.getUint32(at * 8 + 4, true);
    const jump = JUMPS[code];
    if (code === BPF_RET_K) return k;
    if (code === BPF_LD_W_ABS) accumulator = data.getUint32(k, true);
    else if (code === BPF_ALU_AND_K) accumulator = (accumulator & k) >>> 0;
    else if (code === BPF_JA) at += k;
    else if (jump) at += jump(accumulator, k) ? jt : jf;
    else throw new Error(`unknown instruction 0x${code.toString(16)} at ${at}`);
  }
  throw new Error("the filter ends without an answer");
}
