/**
 * Interfaces of the host that the container gets: moved and renamed in one request, then given back their
 * addresses, and brought up. OCI config-linux.md, "Network Devices".
 */
import { TsrunError } from "../base/errors.ts";
import { type PlannedOp, SLOT_CWD, type Slot } from "../plan/index.ts";
import type { OciLinux } from "../spec/index.ts";
import type { NamespaceFacts } from "./facts.ts";
import type { NamespaceRequest } from "./request.ts";
import { encodeAddress, encodeMove, encodeUp, INDEX_AT } from "./rtnetlink.ts";

type NetDevices = NonNullable<OciLinux["netDevices"]>;

export interface NetDevicePlan {
  readonly parent: readonly PlannedOp[];
  readonly child: readonly PlannedOp[];
}

/** IFNAMSIZ without the NUL. */
const MAX_NAME_BYTES = 15;

/**
 * `joined` is the network namespace's file, where there is one: the child comes there only after the
 * parent phase. Throws INVALID_SPEC, naming the device, and NOT_FOUND for one that the host has not.
 */
export function planNetDevices(
  devices: NetDevices,
  {
    network,
    joined,
    facts,
  }: {
    readonly network: NamespaceRequest;
    readonly joined: Slot | undefined;
    readonly facts: NamespaceFacts;
  },
): NetDevicePlan {
  const entries = Object.entries(devices);
  if (entries.length === 0) return { parent: [], child: [] };
  if (network.kind === "own") {
    throw invalid("linux.netDevices", "the container has no network namespace of its own", {
      hint: 'Add { "type": "network" } to linux.namespaces.',
    });
  }
  const taken = new Map<string, string>();
  const plans = entries.map(([name, { name: newName = name }]) => {
    const origin = `linux.netDevices[${JSON.stringify(name)}]`;
    assertName(name, origin);
    assertName(newName, `${origin}.name`);
    const other = taken.get(newName);
    if (other !== undefined) {
      throw invalid(`${origin}.name`, `"${newName}" is already the name of "${other}"`);
    }
    taken.set(newName, name);
    return planDevice({ name, newName, origin, joined, facts });
  });
  return {
    parent: plans.flatMap(({ parent }) => parent),
    child: plans.flatMap(({ child }) => child),
  };
}

function planDevice({
  name,
  newName,
  origin,
  joined,
  facts,
}: {
  readonly name: string;
  readonly newName: string;
  readonly origin: string;
  readonly joined: Slot | undefined;
  readonly facts: NamespaceFacts;
}): NetDevicePlan {
  const addresses = facts.netDevices?.get(name);
  if (!addresses) {
    throw new TsrunError("NOT_FOUND", `${origin}: there is no network interface "${name}"`, {
      origin,
      hint: "See ip link; an interface that another container has got is gone from here.",
    });
  }
  const { message, netnsAt } = encodeMove(newName, joined === undefined ? "pid" : "fd");
  const inside = (bytes: Uint8Array): PlannedOp => ({
    op: {
      ...{ kind: "netlink", message: bytes, name: newName, indexAt: INDEX_AT },
      ...{ netnsAt: -1, netns: SLOT_CWD },
    },
    phase: "child",
    origin,
  });
  return {
    parent: [
      {
        op: {
          ...{ kind: "netlink", message, name, indexAt: INDEX_AT },
          ...{ netnsAt, netns: joined ?? SLOT_CWD },
        },
        phase: "parent",
        origin,
        hint: "EEXIST: the container's network has an interface of that name. EINVAL: this interface cannot be moved.",
      },
    ],
    child: [...addresses.map((address) => inside(encodeAddress(address))), inside(encodeUp())],
  };
}

/** What the kernel takes as a name: dev_valid_name(). */
function assertName(name: string, origin: string): void {
  const valid =
    name !== "" &&
    name !== "." &&
    name !== ".." &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES &&
    !/[\s/:%]/.test(name);
  if (!valid) throw invalid(origin, `"${name}" cannot be the name of a network interface`);
}

function invalid(
  origin: string,
  what: string,
  options: { readonly hint?: string } = {},
): TsrunError {
  return new TsrunError("INVALID_SPEC", `${origin}: ${what}`, { origin, ...options });
}
