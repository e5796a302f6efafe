import type { OciBlockIo } from "../spec/index.ts";
import { type CgroupWrite, invalidLimit, onlyInV1 } from "./write.ts";

const ORIGIN = "linux.resources.blockIO";

/** Block I/O weights and throttles. Zero is "not set". OCI config-linux.md, "Block IO". */
export function planIo(io: OciBlockIo): readonly CgroupWrite[] {
  if (io.leafWeight) throw onlyInV1(`${ORIGIN}.leafWeight`, "Use blockIO.weight.");
  return [...planWeights(io), ...planThrottles(io)];
}

/**
 * OCI's (and BFQ's) weight 10–1000 on io.weight's scale of 1–10000, linear as runc and crun do it.
 */
export function ioWeight(weight: number): number {
  return 1 + Math.trunc(((weight - 10) * 9999) / 990);
}

function planWeights({ weight = 0, weightDevice = [] }: OciBlockIo): readonly CgroupWrite[] {
  const general = weight === 0 ? [] : weightWrites("", weight, `${ORIGIN}.weight`);
  const devices = weightDevice.flatMap(({ major, minor, leafWeight, ...device }, index) => {
    const origin = `${ORIGIN}.weightDevice[${index}]`;
    if (leafWeight) throw onlyInV1(`${origin}.leafWeight`, "Use its weight.");
    return device.weight ? weightWrites(`${major}:${minor} `, device.weight, origin) : [];
  });
  return [...general, ...devices];
}

/**
 * Two schedulers know weights: the cost model (io.weight) and BFQ (io.bfq.weight); each file is
 * there if its code is. The weight goes to both, and it is an error if there is neither.
 */
function weightWrites(device: string, weight: number, origin: string): readonly CgroupWrite[] {
  if (!Number.isInteger(weight) || weight < 10 || weight > 1000) {
    throw invalidLimit(origin, `the weight ${weight} is not from 10 to 1000`);
  }
  const place = { controller: "io", origin } as const;
  const bfq = { ...place, file: "io.bfq.weight", value: `${device}${weight}` };
  return [
    {
      ...place,
      file: "io.weight",
      value: `${device}${ioWeight(weight)}`,
      tolerate: ["ENOENT"],
      skipOk: 1,
      hint: "EOPNOTSUPP: the device's cost model is off; switch it on in the topmost cgroup's io.cost.qos.",
    },
    {
      ...bfq,
      hint: "ENOENT: this kernel has neither the io cost model nor BFQ; it knows no weights.",
    },
    { ...bfq, tolerate: ["ENOENT"] },
  ];
}

const THROTTLES = {
  throttleReadBpsDevice: "rbps",
  throttleWriteBpsDevice: "wbps",
  throttleReadIOPSDevice: "riops",
  throttleWriteIOPSDevice: "wiops",
} as const;

/** io.max takes one device a write, with all its keys. A rate of 0 lifts the limit. */
function planThrottles(io: OciBlockIo): readonly CgroupWrite[] {
  const devices = new Map<string, { readonly origin: string; readonly limits: string[] }>();
  for (const [field, key] of Object.entries(THROTTLES)) {
    for (const [index, throttle] of (io[field as keyof typeof THROTTLES] ?? []).entries()) {
      const { major, minor, rate } = throttle;
      const origin = `${ORIGIN}.${field}[${index}]`;
      if (!Number.isInteger(rate) || rate < 0) throw invalidLimit(origin, `${rate} is no rate`);
      const name = `${major}:${minor}`;
      const device = devices.get(name) ?? { origin, limits: [] };
      device.limits.push(`${key}=${rate === 0 ? "max" : rate}`);
      devices.set(name, device);
    }
  }
  return [...devices].map(([name, { origin, limits }]) => ({
    file: "io.max",
    value: `${name} ${limits.join(" ")}`,
    controller: "io",
    origin,
    hint: `ENODEV: ${name} is no whole block device; a partition is limited through its disk.`,
  }));
}
