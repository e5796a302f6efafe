/**
 * The numbers in a list as cpuset writes it, "0-3,7". Undefined for a text that is none.
 * cgroup-v2.rst, "cpuset.cpus".
 */
export function parseCpuList(text: string): ReadonlySet<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.trim().split(",")) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? [];
    if (first === undefined || Number(last) < Number(first)) return undefined;
    for (let number = Number(first); number <= Number(last); number++) numbers.add(number);
  }
  return numbers;
}
