/**
 * A filter in which no file can be given another project, so that nobody writes past a project quota. Who owns
 * a file may do that otherwise: with FS_IOC_FSSETXATTR, or with FS_IOC_SETFLAGS, by which a directory stops
 * giving its project to what is made in it.
 */
import type { OciSeccomp, OciSyscallRule } from "../spec/index.ts";

/** linux/fs.h; the kernel takes the lower 32 bits. */
const COMMANDS = {
  FS_IOC_FSSETXATTR: 0x401c_5820,
  FS_IOC_SETFLAGS: 0x4008_6602,
  FS_IOC32_SETFLAGS: 0x4004_6602,
} as const;
const ALLOW = "SCMP_ACT_ALLOW";
/** errno(3): what the kernel itself says to those who may not. */
const EPERM = 1;
const WHOLE = 0xffff_ffff;

/**
 * libseccomp knows no exception from a rule without conditions: so ioctl(2) is allowed for all commands but these.
 * Pure.
 */
export function keepProjects(seccomp: OciSeccomp): OciSeccomp {
  const syscalls = (seccomp.syscalls ?? []).flatMap((rule): readonly OciSyscallRule[] => {
    if (!rule.names.includes("ioctl") || rule.action !== ALLOW) return [rule];
    const names = rule.names.filter((name) => name !== "ioctl");
    const others = names.length > 0 ? [{ ...rule, names }] : [];
    const commands = Object.values(COMMANDS);
    const refused = commands.map((value) => ({
      ...ruleFor("SCMP_ACT_ERRNO", { mask: WHOLE, value }),
      errnoRet: EPERM,
    }));
    return [...others, ...allBut(commands).map((pattern) => ruleFor(ALLOW, pattern)), ...refused];
  });
  return { ...seccomp, syscalls };
}

/** For MASKED_EQ `value` is the mask. */
function ruleFor(action: string, { mask, value }: Pattern): OciSyscallRule {
  const args = [{ index: 1, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" }];
  return { names: ["ioctl"], action, args };
}

/** All numbers whose bits below `mask` are those of `value`. */
export interface Pattern {
  readonly mask: number;
  readonly value: number;
}

/** Patterns that fit every 32-bit number but these: where the tree of their bits has no branch. Pure. */
export function allBut(numbers: readonly number[]): readonly Pattern[] {
  return patternsBelow(numbers, { mask: 0, value: 0 }, 31);
}

function patternsBelow(numbers: readonly number[], at: Pattern, bit: number): readonly Pattern[] {
  if (numbers.length === 0) return [at];
  if (bit < 0) return [];
  const one = (1 << bit) >>> 0;
  const mask = (at.mask | one) >>> 0;
  const [zeros, ones] = [0, one].map((want) =>
    numbers.filter((number) => (number & one) >>> 0 === want),
  );
  return [
    ...patternsBelow(zeros ?? [], { mask, value: at.value }, bit - 1),
    ...patternsBelow(ones ?? [], { mask, value: (at.value | one) >>> 0 }, bit - 1),
  ];
}
