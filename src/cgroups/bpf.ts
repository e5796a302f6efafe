/**
 * As much of BPF's instruction set as a device filter needs, and its encoding.
 * Documentation/bpf/standardization/instruction-set.rst; struct bpf_insn in linux/bpf.h.
 */

/** `to` counts instructions from the next one on. Registers are 32 bits wide here (w0–w9). */
export type BpfInstruction =
  /** dst = *(u32 *)(src + offset) */
  | {
      readonly kind: "load";
      readonly dst: number;
      readonly src: number;
      readonly offset: number;
    }
  | { readonly kind: "copy"; readonly dst: number; readonly src: number }
  | { readonly kind: "set" | "and" | "shiftRight"; readonly dst: number; readonly value: number }
  /** Jumps if dst is (is not) the value, or has any of its bits. */
  | {
      readonly kind: "ifEqual" | "ifNotEqual" | "ifAnyBit";
      readonly dst: number;
      readonly value: number;
      readonly to: number;
    }
  | { readonly kind: "jump"; readonly to: number }
  | { readonly kind: "exit" };

/** Class | operation | source. The comparisons are JMP32's (Linux 5.1): a 32-bit value is not sign-extended. */
const OPCODES = {
  load: 0x61,
  copy: 0xbc,
  set: 0xb4,
  and: 0x54,
  shiftRight: 0x74,
  ifEqual: 0x16,
  ifNotEqual: 0x56,
  ifAnyBit: 0x46,
  jump: 0x05,
  exit: 0x95,
} as const satisfies Record<BpfInstruction["kind"], number>;

const INSTRUCTION_BYTES = 8;

/** The program as struct bpf_insn[], little endian. Throws RangeError for a jump beyond 16 bits. */
export function encodeBpf(program: readonly BpfInstruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * INSTRUCTION_BYTES));
  for (const [index, instruction] of program.entries()) {
    const { dst, src, offset, immediate } = operands(instruction);
    if (offset < 0 || offset > 0x7fff) throw new RangeError("the device filter is too long");
    const at = index * INSTRUCTION_BYTES;
    view.setUint8(at, OPCODES[instruction.kind]);
    view.setUint8(at + 1, dst | (src << 4));
    view.setInt16(at + 2, offset, true);
    view.setUint32(at + 4, immediate, true);
  }
  return new Uint8Array(view.buffer);
}

function operands(instruction: BpfInstruction): {
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly immediate: number;
} {
  const none = { dst: 0, src: 0, offset: 0, immediate: 0 };
  switch (instruction.kind) {
    case "load":
      return { ...none, dst: instruction.dst, src: instruction.src, offset: instruction.offset };
    case "copy":
      return { ...none, dst: instruction.dst, src: instruction.src };
    case "set":
    case "and":
    case "shiftRight":
      return { ...none, dst: instruction.dst, immediate: instruction.value };
    case "ifEqual":
    case "ifNotEqual":
    case "ifAnyBit":
      return {
        ...none,
        dst: instruction.dst,
        offset: instruction.to,
        immediate: instruction.value,
      };
    case "jump":
      return { ...none, offset: instruction.to };
    case "exit":
      return none;
  }
}
