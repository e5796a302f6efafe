/**
 * A small BPF machine, written from the instruction set's document and not from the encoder, for
 * the instructions that a device filter uses.
 */
import assert from "node:assert/strict";

interface Decoded {
  readonly opcode: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly immediate: number;
}

function decode(program: Uint8Array): readonly Decoded[] {
  assert.equal(program.length % 8, 0);
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  return Array.from({ length: program.length / 8 }, (_, index) => ({
    opcode: view.getUint8(index * 8),
    dst: view.getUint8(index * 8 + 1) & 15,
    src: view.getUint8(index * 8 + 1) >> 4,
    offset: view.getInt16(index * 8 + 2, true),
    immediate: view.getUint32(index * 8 + 4, true),
  }));
}

const EXIT = 0x95;

const ALU: Readonly<Record<number, (value: number, operand: number) => number>> = {
  180: (_, operand) => operand, // 0xb4 mov
  84: (value, operand) => value & operand, // 0x54 and
  116: (value, operand) => value >>> operand, // 0x74 rsh
};

const JUMPS: Readonly<Record<number, (value: number, operand: number) => boolean>> = {
  5: () => true, // 0x05 ja
  22: (value, operand) => value === operand, // 0x16 jeq
  86: (value, operand) => value !== operand, // 0x56 jne
  70: (value, operand) => (value & operand) !== 0, // 0x46 jset
};

/** What a register becomes; undefined for an instruction that sets none. */
function result(
  { opcode, dst, src, offset, immediate }: Decoded,
  registers: Uint32Array,
  memory: Uint32Array,
): number | undefined {
  if (JUMPS[opcode]) return undefined;
  if (opcode === 0xbc) return registers[src];
  if (opcode === 0x61) {
    assert.equal(src, 1, "only the context may be read");
    return memory[offset / 4] ?? assert.fail("read beyond the context");
  }
  const operation = ALU[opcode] ?? assert.fail(`unknown opcode ${opcode}`);
  return operation(registers[dst] ?? 0, immediate);
}

/** Register 0 at the exit. Register 1 is the context, of which only `memory`'s words can be read. */
export function execute(program: Uint8Array, memory: Uint32Array): number {
  const instructions = decode(program);
  const registers = new Uint32Array(11);
  let next = 0;
  for (let steps = 0; steps < 10_000; steps++) {
    const instruction = instructions[next++] ?? assert.fail("ran off the program's end");
    const { opcode, dst, offset, immediate } = instruction;
    if (opcode === EXIT) return registers[0] ?? 0;
    const value = result(instruction, registers, memory);
    if (value !== undefined) registers[dst] = value;
    else if (JUMPS[opcode]?.(registers[dst] ?? 0, immediate)) next += offset;
  }
  return assert.fail("the program does not end");
}

/** How many instructions no path leads to. */
export function unreachable(program: Uint8Array): number {
  const instructions = decode(program);
  const reached = new Set<number>();
  const todo = [0];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    const { opcode, offset } = instructions[at] ?? assert.fail("a jump leaves the program");
    if (opcode === EXIT) continue;
    if (opcode !== 0x05) todo.push(at + 1);
    if (JUMPS[opcode]) todo.push(at + 1 + offset);
  }
  return instructions.length - reached.size;
}
