/** Where compiled filters are kept across calls: libseccomp is slow. hier(7), "/var/cache". */
export function filterCache(): string {
  if (process.geteuid?.() === 0) return "/var/cache/tsrun/seccomp";
  const cache = process.env["XDG_CACHE_HOME"] || `${process.env["HOME"] || "/tmp"}/.cache`;
  return `${cache}/tsrun/seccomp`;
}
