/**
 * Device nodes of the host as OCI describes them.
 */
import { statSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import type { OciDevice } from "../spec/index.ts";
import type { DeviceRequest } from "./request.ts";

const S_IFMT = 0o170000;
const NODE_TYPES: Readonly<Record<number, OciDevice["type"]>> = {
  [0o020000]: "c",
  [0o060000]: "b",
  [0o010000]: "p",
};

/** Throws NOT_FOUND, and INVALID_ARGUMENT for what is no device. */
export function probeDevice(device: DeviceRequest): DeviceRequest {
  const stat = statSync(device.source, { throwIfNoEntry: false });
  if (!stat) {
    throw new TsrunError("NOT_FOUND", `the device "${device.source}" does not exist`, {
      hint: "Name a device node of the host, such as /dev/fuse.",
      origin: "devices",
    });
  }
  const type = NODE_TYPES[stat.mode & S_IFMT];
  if (!type) {
    throw new TsrunError("INVALID_ARGUMENT", `"${device.source}" is not a device`, {
      hint: "Name a character or block device, such as /dev/fuse; bind other files with --volume.",
      origin: "devices",
    });
  }
  return { ...device, node: deviceNode(device.target, type, stat) };
}

/** The node as OCI describes it; `rdev` is glibc's dev_t. makedev(3). */
export function deviceNode(
  path: string,
  type: OciDevice["type"],
  { mode, rdev, uid, gid }: { mode: number; rdev: number; uid: number; gid: number },
): OciDevice {
  const numbers =
    type === "p"
      ? {}
      : {
          major: ((rdev >>> 8) & 0xfff) | (Math.floor(rdev / 2 ** 32) & ~0xfff),
          minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00),
        };
  return { type, path, ...numbers, fileMode: mode & 0o7777, uid, gid };
}
