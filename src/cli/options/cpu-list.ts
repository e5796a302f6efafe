import { invalidValue } from "./invalid-value.ts";

const ITEM = /^(\d{1,5})(?:-(\d{1,5}))?$/;

/**
 * A list of cpus or memory nodes as the kernel writes it ("0-2,4"); returned as it was typed.
 * Documentation/admin-guide/cgroup-v2.rst "cpuset.cpus".
 */
export function parseCpuList(flag: string, text: string): string {
  const items = text.split(",");
  for (const item of items) {
    const match = ITEM.exec(item);
    if (!match || (match[2] !== undefined && Number(match[2]) < Number(match[1]))) {
      throw invalidValue(
        flag,
        text,
        `"${item}" is neither a number nor a range`,
        "Give numbers and ranges with commas between them, such as 0-2,4.",
      );
    }
  }
  return text;
}
