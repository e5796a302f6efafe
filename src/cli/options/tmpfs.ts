/**
 * --tmpfs: "/path" or "/path:rw,size=64m,mode=1777".
 */
import type { MountRequest } from "../../engine/index.ts";
import { invalidValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";
import { checkMountOptions, isMountFlag, PROPAGATIONS, parseTarget } from "./mount-options.ts";
import { tmpfsOption } from "./mounts.ts";

const FLAG = "--tmpfs";

export function parseTmpfs(text: string): MountRequest {
  const [target = "", optionText = "", ...rest] = text.split(":");
  if (rest.length > 0) {
    throw invalidValue(FLAG, text, "it is not TARGET[:OPTIONS]", "Write it as /tmp:size=64m.");
  }
  const options = optionText
    .split(",")
    .filter((option) => option !== "")
    .map((option) => tmpfsMountOption(text, option));
  checkMountOptions(FLAG, text, options);
  return { type: "tmpfs", target: parseTarget(FLAG, text, target), options };
}

function tmpfsMountOption(text: string, option: string): string {
  const plain = isMountFlag(option) || PROPAGATIONS.includes(option);
  if (plain || option === "tmpcopyup" || option === "notmpcopyup") return option;
  const { key, value } = splitKeyValue(option);
  return tmpfsOption(FLAG, text, key, value ?? "");
}
