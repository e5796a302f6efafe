/** `linux.resources` of config.json, and the file that `update --resources` names. */
import {
  flag,
  int64,
  integer,
  list,
  map,
  nonEmpty,
  object,
  oneOf,
  optionalText,
  type Reader,
  text,
  uint16,
  uint32,
  uint64,
} from "./json.ts";
import type { OciResources } from "./oci.ts";

const deviceRule = object(
  { allow: flag },
  { type: optional(oneOf("a", "b", "c")), major: int64, minor: int64, access: optionalText },
);

/** Docker writes -1 as a uint64: "not set", as runc reads it. */
const swappiness: Reader<number | undefined> = (value, at, warn) => {
  const found = uint64OrUnset(value, at, warn);
  return found < 0 || found >= 2 ** 63 ? undefined : found;
};

const uint64OrUnset: Reader<number> = (value, at, warn) =>
  value === -1 ? -1 : uint64(value, at, warn);

/** -1 is "no limit"; another negative number is a mistake of who wrote it. */
const bytes = integer(-1, 2 ** 63);

const memory = object(
  {},
  {
    limit: bytes,
    reservation: bytes,
    swap: bytes,
    kernel: int64,
    kernelTCP: int64,
    swappiness,
    disableOOMKiller: flag,
    useHierarchy: flag,
    checkBeforeUpdate: flag,
  },
);

const cpu = object(
  {},
  {
    shares: uint64,
    quota: int64,
    burst: uint64,
    period: uint64,
    realtimeRuntime: int64,
    realtimePeriod: uint64,
    cpus: optionalText,
    mems: optionalText,
    idle: int64,
  },
);

const device = { major: uint32, minor: uint32 };
const throttles = list(object({ ...device, rate: uint64 }, {}));

const blockIO = object(
  {},
  {
    weight: uint16,
    leafWeight: uint16,
    weightDevice: list(object(device, { weight: uint16, leafWeight: uint16 })),
    throttleReadBpsDevice: throttles,
    throttleWriteBpsDevice: throttles,
    throttleReadIOPSDevice: throttles,
    throttleWriteIOPSDevice: throttles,
  },
);

/** A limit that is not there is none: 1.3 made it optional. */
const pids: Reader<OciResources["pids"]> = (value, at, warn) => {
  const { limit } = object({}, { limit: int64 })(value, at, warn);
  return limit === undefined ? undefined : { limit };
};

export const readResources: Reader<OciResources> = object(
  {},
  {
    devices: list(deviceRule),
    memory,
    cpu,
    pids,
    blockIO,
    hugepageLimits: list(object({ pageSize: nonEmpty, limit: uint64 }, {})),
    rdma: map(object({}, { hcaHandles: uint32, hcaObjects: uint32 }), nonEmpty),
    network: object(
      {},
      {
        classID: uint32,
        priorities: list(object({ name: nonEmpty, priority: uint32 }, {})),
      },
    ),
    unified: map(text, nonEmpty),
  },
);

/** Go's zero value of a string stands for none. */
function optional<T extends string>(reader: Reader<T>): Reader<T | undefined> {
  return (value, at, warn) => (value === "" ? undefined : reader(value, at, warn));
}
