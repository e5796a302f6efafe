/**
 * An error names the field of the container's specification that is at fault. Whoever typed an option
 * knows it by that name.
 */
const RESOURCES: ReadonlyMap<string, string> = new Map([
  ["memory.limit", "memory"],
  ["memory.swap", "memory-swap"],
  ["memory.reservation", "memory-reservation"],
  ['unified["memory.high"]', "memory-high"],
  ["cpu.quota", "cpus"],
  ['unified["cpu.weight"]', "cpu-weight"],
  ["cpu.cpus", "cpuset-cpus"],
  ["cpu.mems", "cpuset-mems"],
  ["pids.limit", "pids-limit"],
  ['unified["io.weight"]', "io-weight"],
  ["blockIO.throttleReadBpsDevice", "device-read-bps"],
  ["blockIO.throttleWriteBpsDevice", "device-write-bps"],
  ["blockIO.throttleReadIOPSDevice", "device-read-iops"],
  ["blockIO.throttleWriteIOPSDevice", "device-write-iops"],
]);

const FIELD = /linux\.resources\.(\w+\["[^"]+"\]|\w+\.\w+)(\[\d+\])?/g;

/** The sentence with option names where it names the fields that the limits' options set. */
export function nameOptions(sentence: string): string {
  return sentence.replaceAll(FIELD, (field, name: string) => {
    const option = RESOURCES.get(name);
    return option === undefined ? field : `--${option}`;
  });
}
