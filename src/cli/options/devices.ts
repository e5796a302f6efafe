/**
 * --device and --device-cgroup-rule.
 */
import type { DeviceRequest } from "../../engine/index.ts";
import type { OciDeviceRule } from "../../spec/index.ts";
import { invalidValue } from "./invalid-value.ts";

const ACCESS = /^(?!.*(.).*\1)[rwm]{1,3}$/;

/** "HOST[:CONTAINER][:ACCESS]"; everything is allowed without ACCESS. podman-run(1) "--device". */
export function parseDevice(text: string): DeviceRequest {
  const flag = "--device";
  const [source = "", second, third, ...rest] = text.split(":");
  const onlyAccess = second !== undefined && third === undefined && ACCESS.test(second);
  const target = second === undefined || onlyAccess ? source : second;
  const access = onlyAccess ? second : (third ?? "rwm");
  if (rest.length > 0 || !source.startsWith("/") || !target.startsWith("/")) {
    throw invalidValue(
      flag,
      text,
      "it is not HOST[:CONTAINER][:ACCESS]",
      "Write absolute paths, as in /dev/fuse or /dev/sda:/dev/disk:r.",
    );
  }
  if (!ACCESS.test(access)) {
    throw invalidValue(
      flag,
      text,
      `"${access}" is no access`,
      "Use r, w and m: read, write, mknod.",
    );
  }
  return { source, target, access };
}

const RULE = /^([abc])\s+(\d+|\*):(\d+|\*)\s+(\S+)$/;

/** "c 1:3 rwm": type, MAJOR:MINOR with * for any, access. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const flag = "--device-cgroup-rule";
  const match = RULE.exec(text.trim());
  const [, type = "", major = "", minor = "", access = ""] = match ?? [];
  if (!match || !ACCESS.test(access)) {
    throw invalidValue(
      flag,
      text,
      "it is not TYPE MAJOR:MINOR ACCESS",
      'Write it as "c 1:3 rwm": type a, b or c; * for any number; any of r, w, m.',
    );
  }
  return {
    allow: true,
    type: type as "a" | "b" | "c",
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}
