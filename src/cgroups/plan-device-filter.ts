import type { OciDeviceRule } from "../spec/index.ts";
import { type BpfInstruction, encodeBpf } from "./bpf.ts";
import { ALL_ACCESS, type DeviceRule, parseDeviceRules } from "./device-rules.ts";

/** BPF_PROG_TYPE_CGROUP_DEVICE and BPF_CGROUP_DEVICE of linux/bpf.h. */
export const DEVICE_PROGRAM = { type: 15, attachType: 6 } as const;

/**
 * Device rules as a BPF program for cgroup v2 (struct bpf_insn[]), or undefined where they allow
 * everything anyway. Each kind of access is decided by the last rule that fits the device and names
 * it; a request for several is granted only if each of them is; what no rule decides is denied.
 * Throws INVALID_SPEC for a rule that is wrong. OCI config-linux.md, "Device Cgroup".
 */
export function planDeviceFilter(rules: readonly OciDeviceRule[]): Uint8Array | undefined {
  const deciding = parseDeviceRules(rules).toReversed();
  const [last] = deciding;
  if (last?.allow && fitsEverything(last)) return undefined;
  const { code, final } = matchRules(deciding, FIELDS);
  return encodeBpf([...LOAD_REQUEST, ...code, ...(final ? [] : answer(false))]);
}

function fitsEverything(rule: DeviceRule): boolean {
  return rule.access === ALL_ACCESS && FIELDS.every((field) => rule[field] === undefined);
}

/** What is in which register. Register 1 is the context: struct bpf_cgroup_dev_ctx. */
const [ANSWER, CONTEXT, TYPE, ACCESS, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];

const LOAD_REQUEST: readonly BpfInstruction[] = [
  { kind: "load", dst: TYPE, src: CONTEXT, offset: 0 },
  { kind: "load", dst: MAJOR, src: CONTEXT, offset: 4 },
  { kind: "load", dst: MINOR, src: CONTEXT, offset: 8 },
  // access_type is the access above, the device's type below.
  { kind: "copy", dst: ACCESS, src: TYPE },
  { kind: "shiftRight", dst: ACCESS, value: 16 },
  { kind: "and", dst: TYPE, value: 0xffff },
  // A request for nothing in particular (open(2) of a path for execution, say) needs everything.
  { kind: "ifNotEqual", dst: ACCESS, value: 0, to: 1 },
  { kind: "set", dst: ACCESS, value: ALL_ACCESS },
];

/** What rules tell devices by, in the order of the tests. */
const FIELDS = ["type", "major", "minor"] as const;
const REGISTERS = { type: TYPE, major: MAJOR, minor: MINOR } as const;
type Field = (typeof FIELDS)[number];

interface Code {
  readonly code: readonly BpfInstruction[];
  /** It answers every request: what followed could not be reached, which the verifier refuses. */
  readonly final: boolean;
}

/**
 * Rules that agree in the fields before `fields`, the deciding ones first. Neighbours that ask for
 * the same type, then the same major, share the test: the verifier's time, and with it a
 * container's start, is in the number of branches.
 */
function matchRules(rules: readonly DeviceRule[], [field, ...rest]: readonly Field[]): Code {
  if (!field) return sequence(rules.map(decide));
  return sequence(
    runs(rules, field).map((run) => {
      const value = run[0][field];
      const body = matchRules(run, rest);
      return value === undefined ? body : { code: onlyIf(field, value, body.code), final: false };
    }),
  );
}

/** One after the other, up to the first that answers everything. */
function sequence(parts: readonly Code[]): Code {
  const end = parts.findIndex(({ final }) => final);
  const reached = end < 0 ? parts : parts.slice(0, end + 1);
  return { code: reached.flatMap(({ code }) => code), final: end >= 0 };
}

type Run = [DeviceRule, ...DeviceRule[]];

/** Neighbouring rules with the same value of a field. */
function runs(rules: readonly DeviceRule[], field: Field): readonly Run[] {
  const result: Run[] = [];
  for (const rule of rules) {
    const run = result.at(-1);
    if (run && run[0][field] === rule[field]) run.push(rule);
    else result.push([rule]);
  }
  return result;
}

/**
 * Not one "jump if it differs": the verifier follows the next instruction first, and has to have
 * seen the general case (no rule fitted so far) before the special ones (this one did) to recognise
 * that they lead to nothing new.
 */
function onlyIf(
  field: Field,
  value: number,
  body: readonly BpfInstruction[],
): readonly BpfInstruction[] {
  return [
    { kind: "ifEqual", dst: REGISTERS[field], value, to: 1 },
    { kind: "jump", to: body.length },
    ...body,
  ];
}

/** The ACCESS register holds what is still undecided; an allowing rule takes its part out of it. */
function decide({ allow, access }: DeviceRule): Code {
  if (access === ALL_ACCESS) return { code: answer(allow), final: true };
  const code: readonly BpfInstruction[] = allow
    ? [
        { kind: "and", dst: ACCESS, value: ALL_ACCESS & ~access },
        { kind: "ifNotEqual", dst: ACCESS, value: 0, to: 2 },
        ...answer(true),
      ]
    : [
        { kind: "ifAnyBit", dst: ACCESS, value: access, to: 1 },
        { kind: "jump", to: 2 },
        ...answer(false),
      ];
  return { code, final: false };
}

function answer(allow: boolean): readonly BpfInstruction[] {
  return [{ kind: "set", dst: ANSWER, value: allow ? 1 : 0 }, { kind: "exit" }];
}
