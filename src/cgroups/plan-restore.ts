/** Files with one line a key (a device, a resource); the others hold one value. */
const KEYED: Readonly<Record<string, (key: string) => string>> = {
  "io.max": (key) => `${key} rbps=max wbps=max riops=max wiops=max`,
  "io.latency": (key) => `${key} target=0`,
  "io.weight": (key) => `${key} default`,
  "io.bfq.weight": (key) => `${key} default`,
  "rdma.max": (key) => `${key} hca_handle=max hca_object=max`,
  "misc.max": (key) => `${key} max`,
};

/**
 * What to write to undo a write of `value` to a file whose content was `before`. Of a keyed file only
 * the key's own line, or what means "not set" where it had none.
 */
export function planRestore(file: string, value: string, before: string): string {
  const unset = KEYED[file];
  if (!unset) return before.trim();
  const words = value.trim().split(" ");
  const key = words.length === 1 ? "default" : (words[0] ?? "");
  const line = before.split("\n").find((candidate) => candidate.split(" ")[0] === key);
  return line?.trim() ?? unset(key);
}
