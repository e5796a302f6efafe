import { TsrunError } from "../base/errors.ts";
import type { OciSeccomp } from "../spec/index.ts";

/** SECCOMP_FILTER_FLAG_*, seccomp(2); the listener's flag is the plan's own business. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
const SPEC_ALLOW = 4;

/**
 * The flags with which a filter is installed. A profile that names none gets SPEC_ALLOW, as with runc:
 * since Linux 5.16 a filter does not switch off speculation anyway, before it costs much for little.
 * Throws INVALID_SPEC. OCI config-linux.md "Seccomp", flags.
 */
export function seccompFlags({ flags }: OciSeccomp): number {
  if (flags === undefined) return SPEC_ALLOW;
  return flags.reduce((sum, name, index) => {
    const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
    if (flag !== undefined) return sum | flag;
    const origin = `linux.seccomp.flags[${index}]`;
    throw new TsrunError("INVALID_SPEC", `${origin}: "${name}" is not a seccomp flag`, {
      hint: "The flags are those of seccomp(2).",
      origin,
    });
  }, 0);
}
