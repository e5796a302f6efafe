import { TsrunError } from "../base/errors.ts";
import type { PlannedOp } from "../plan/index.ts";
import type { NamespaceRequest } from "./request.ts";

/** __NEW_UTS_LEN: bytes in a host or domain name, without the NUL. sethostname(2). */
const NAME_MAX_BYTES = 64;

/**
 * The container's host and domain name. A joined UTS namespace is renamed for everyone in it, as
 * runc does. Throws INVALID_SPEC without a UTS namespace: it would be the host that is renamed.
 */
export function planNames(
  uts: NamespaceRequest,
  names: Readonly<Partial<Record<"hostname" | "domainname", string | undefined>>>,
): readonly PlannedOp[] {
  return (["hostname", "domainname"] as const).flatMap((origin): PlannedOp[] => {
    const { [origin]: name = "" } = names;
    if (name === "") return [];
    checkName(uts, name, origin);
    return [{ op: { kind: `set${origin}`, name }, phase: "child", origin }];
  });
}

function checkName(uts: NamespaceRequest, name: string, origin: string): void {
  if (uts.kind === "own") {
    throw new TsrunError("INVALID_SPEC", `${origin} "${name}" needs a UTS namespace`, {
      origin,
      hint: `Add { "type": "uts" } to linux.namespaces; without it the host would be renamed.`,
    });
  }
  const bytes = new TextEncoder().encode(name).length;
  if (bytes > NAME_MAX_BYTES) {
    const message = `${origin} "${name}" is ${bytes} bytes long, the kernel takes ${NAME_MAX_BYTES}`;
    throw new TsrunError("INVALID_SPEC", message, { origin });
  }
}
