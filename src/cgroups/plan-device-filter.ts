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
  if (last?.allow && isFinal(last)) return undefined;
  const program = [...LOAD_REQUEST];
  for (const rule of deciding) {
    program.push(...ruleInstructions(rule));
    // It answers every request that gets here. The verifier refuses code that nothing can reach.
    if (isFinal(rule)) return encodeBpf(program);
  }
  return encodeBpf([...program, ...answer(false)]);
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

/** The ACCESS register holds what is still undecided; an allowing rule takes its part out of it. */
function ruleInstructions({ allow, type, major, minor, access }: DeviceRule): BpfInstruction[] {
  const whole = access === ALL_ACCESS;
  const decision: BpfInstruction[] = allow
    ? [
        ...(whole
          ? []
          : [
              { kind: "and", dst: ACCESS, value: ALL_ACCESS & ~access } as const,
              { kind: "ifNotEqual", dst: ACCESS, value: 0, to: 2 } as const,
            ]),
        ...answer(true),
      ]
    : [
        ...(whole
          ? []
          : [
              { kind: "ifAnyBit", dst: ACCESS, value: access, to: 1 } as const,
              { kind: "jump", to: 2 } as const,
            ]),
        ...answer(false),
      ];
  const tests = [
    { dst: TYPE, value: type },
    { dst: MAJOR, value: major },
    { dst: MINOR, value: minor },
  ].flatMap(({ dst, value }) => (value === undefined ? [] : [{ dst, value }]));
  return [
    ...tests.map(({ dst, value }, index): BpfInstruction => {
      const to = tests.length - 1 - index + decision.length;
      return { kind: "ifNotEqual", dst, value, to };
    }),
    ...decision,
  ];
}

function answer(allow: boolean): BpfInstruction[] {
  return [{ kind: "set", dst: ANSWER, value: allow ? 1 : 0 }, { kind: "exit" }];
}

function isFinal({ type, major, minor, access }: DeviceRule): boolean {
  const everyDevice = type === undefined && major === undefined && minor === undefined;
  return everyDevice && access === ALL_ACCESS;
}
