import type { OptionSpec } from "./option-spec.ts";

/** The limits that `run`, `create`, `plan` and `update` share. */
const group = "Limits";

export const LIMIT_OPTIONS: readonly OptionSpec[] = [
  {
    name: "memory",
    short: "m",
    kind: "value",
    placeholder: "SIZE",
    summary: "The most memory it may use (memory.max), such as 512m or 1.5g; 0 is no limit",
    group,
  },
  {
    name: "memory-swap",
    kind: "value",
    placeholder: "SIZE",
    summary: "Memory and swap together; -1 is unlimited swap",
    group,
  },
  {
    name: "memory-high",
    kind: "value",
    placeholder: "SIZE",
    summary: "From here on it is slowed down and made to give memory back (memory.high)",
    group,
  },
  {
    name: "memory-reservation",
    kind: "value",
    placeholder: "SIZE",
    summary: "Memory that is left to it when the host runs short (memory.low)",
    group,
  },
  {
    name: "cpus",
    kind: "value",
    placeholder: "NUMBER",
    summary: "The most cpu time it may use, in cores: 1.5 is one and a half; 0 is no limit",
    group,
  },
  {
    name: "cpu-weight",
    kind: "value",
    placeholder: "WEIGHT",
    summary: "Its share of a busy cpu, 1 to 10000; others have 100 (cpu.weight)",
    group,
  },
  {
    name: "cpuset-cpus",
    kind: "value",
    placeholder: "LIST",
    summary: "The cpus it may run on, such as 0-2,4",
    group,
  },
  {
    name: "cpuset-mems",
    kind: "value",
    placeholder: "LIST",
    summary: "The memory nodes it may use, such as 0",
    group,
  },
  {
    name: "pids-limit",
    kind: "value",
    placeholder: "NUMBER",
    summary: "The most processes and threads at once; -1 is no limit; 2048 for a new container",
    group,
  },
  {
    name: "io-weight",
    kind: "value",
    placeholder: "WEIGHT",
    summary: "Its share of a busy disk, 1 to 10000; others have 100 (io.weight)",
    group,
  },
  {
    name: "device-read-bps",
    kind: "list",
    placeholder: "DEVICE:RATE",
    summary: "Bytes a second it may read from a block device: /dev/sda:10m",
    group,
  },
  {
    name: "device-write-bps",
    kind: "list",
    placeholder: "DEVICE:RATE",
    summary: "Bytes a second it may write to a block device",
    group,
  },
  {
    name: "device-read-iops",
    kind: "list",
    placeholder: "DEVICE:RATE",
    summary: "Reads a second from a block device",
    group,
  },
  {
    name: "device-write-iops",
    kind: "list",
    placeholder: "DEVICE:RATE",
    summary: "Writes a second to a block device",
    group,
  },
];
