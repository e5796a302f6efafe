/** linux.memoryPolicy as set_mempolicy(2) takes it. */
import { TsrunError } from "../base/errors.ts";
import type { PlannedOp } from "../plan/index.ts";
import type { OciMemoryPolicy } from "../spec/index.ts";

/** include/uapi/linux/mempolicy.h */
const MODES: Readonly<Record<string, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};
const FLAGS: Readonly<Record<string, number>> = {
  MPOL_F_NUMA_BALANCING: 1 << 13,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
};
/** CONFIG_NODES_SHIFT is 10 at most. */
const MAX_NODES = 1024;
const ORIGIN = "linux.memoryPolicy";

/** It stays with the process through execve(2). Throws INVALID_SPEC, naming the field. */
export function planMemoryPolicy(policy: OciMemoryPolicy | undefined): PlannedOp[] {
  if (!policy) return [];
  const { mode, flags = [], nodes } = policy;
  const number = flags.reduce(
    (sum, flag, index) => sum | lookUp(FLAGS, flag, `${ORIGIN}.flags[${index}]`),
    lookUp(MODES, mode, `${ORIGIN}.mode`),
  );
  return [
    {
      op: { kind: "setMempolicy", mode: number, nodes: nodeMask(nodes ?? "") },
      phase: "child",
      origin: ORIGIN,
      hint: "EINVAL: the mode wants nodes, or none, or this machine has none of them; see set_mempolicy(2).",
    },
  ];
}

function lookUp(table: Readonly<Record<string, number>>, name: string, origin: string): number {
  const found = Object.hasOwn(table, name) ? table[name] : undefined;
  if (found !== undefined) return found;
  throw new TsrunError("INVALID_SPEC", `${origin}: the kernel knows no "${name}"`, {
    origin,
    hint: `Use one of ${Object.keys(table).join(", ")}.`,
  });
}

/** "0-1,3" as one bit a node, in whole words; no bytes for no nodes. */
function nodeMask(list: string): Uint8Array {
  if (list.trim() === "") return new Uint8Array(0);
  const mask = new Uint8Array(MAX_NODES / 8);
  for (const part of list.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || last < first || last >= MAX_NODES) {
      throw new TsrunError("INVALID_SPEC", `${ORIGIN}.nodes: "${list}" is not a list of nodes`, {
        origin: `${ORIGIN}.nodes`,
        hint: 'Write numbers and ranges, e.g. "0-1,3".',
      });
    }
    for (let node = first; node <= last; node += 1) {
      mask[node >> 3] = (mask[node >> 3] ?? 0) | (1 << (node & 7));
    }
  }
  return mask;
}
