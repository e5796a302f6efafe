/** A cgroup2 mount as /proc/self/mountinfo shows it. */
export interface Cgroup2Mount {
  readonly mountPoint: string;
  /** Which cgroup is mounted, relative to the reader's cgroup namespace: "/", "/a", or "/.." for one above it. */
  readonly root: string;
}

/**
 * The cgroup2 mounts in the text of /proc/self/mountinfo, the best first: whole hierarchies before
 * parts, and the conventional places (pure, then hybrid) before others. Of mounts on one place only
 * the last is visible. proc_pid_mountinfo(5).
 */
export function parseCgroup2Mounts(mountinfo: string): readonly Cgroup2Mount[] {
  const visible = new Map<string, { readonly root: string; readonly type: string }>();
  for (const line of mountinfo.split("\n")) {
    const [place, rest] = line.split(" - ");
    const [, , , root, mountPoint] = (place ?? "").split(" ");
    const [type] = (rest ?? "").split(" ");
    if (root === undefined || mountPoint === undefined || type === undefined) continue;
    visible.set(unescapeField(mountPoint), { root: unescapeField(root), type });
  }
  return [...visible]
    .filter(([, { type }]) => type === "cgroup2")
    .map(([mountPoint, { root }]) => ({ mountPoint, root }))
    .toSorted((a, b) => rank(a) - rank(b));
}

const PLACES = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

function rank({ mountPoint, root }: Cgroup2Mount): number {
  const place = PLACES.indexOf(mountPoint);
  return (root === "/" ? 0 : PLACES.length + 1) + (place < 0 ? PLACES.length : place);
}

/** Space, tab, newline and backslash are written as octal escapes. */
function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/**
 * A process's cgroup v2 path in the text of /proc/PID/cgroup ("0::/…"), or undefined for a process
 * that is in none. cgroups(7).
 */
export function parseOwnCgroup(text: string): string | undefined {
  // " (deleted)" is appended when the cgroup was removed while a zombie is left in it.
  return /^0::(\/.*?)(?: \(deleted\))?$/m.exec(text)?.[1];
}

/** Where a cgroup of the namespace stands below a mount of `root`; undefined where the mount does not show it. */
export function pathBelowMount(root: string, cgroup: string): string | undefined {
  if (root.startsWith("/..") || cgroup.startsWith("/..")) return undefined;
  if (root === "/" || cgroup === root) return root === "/" ? cgroup : "/";
  return cgroup.startsWith(`${root}/`) ? cgroup.slice(root.length) : undefined;
}
