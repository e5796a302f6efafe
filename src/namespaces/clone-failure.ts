import { NAMESPACE_KINDS, NAMESPACE_TYPES } from "./kinds.ts";

/**
 * What to tell the user when clone3 itself failed, which belongs to no op: the errno's meaning for
 * these CLONE_NEW* flags, or undefined where namespaces are not to blame. clone(2), namespaces(7).
 */
export function cloneFailureHint(errno: string, cloneFlags: number): string | undefined {
  const names = NAMESPACE_TYPES.filter((type) => cloneFlags & NAMESPACE_KINDS[type].flag);
  if (names.length === 0) return undefined;
  const list = names.join(", ");
  switch (errno) {
    case "ENOSPC":
      return `A limit of /proc/sys/user/max_*_namespaces is reached (wanted: ${list}), or namespaces are nested too deep.`;
    case "EPERM":
      return `Making namespaces (${list}) needs CAP_SYS_ADMIN or a new user namespace, which this system may restrict.`;
    case "EINVAL":
      return `This kernel may lack one of the namespaces (${list}).`;
    default:
      return undefined;
  }
}
