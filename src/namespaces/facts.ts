import type { OciNamespaceType } from "../spec/index.ts";
import type { InterfaceAddress } from "./rtnetlink.ts";

/** Which namespace a file stands for, "DEV:INO": two files are one namespace if and only if these are equal. */
export type NamespaceId = string & { readonly __brand: "NamespaceId" };

/** A process's namespaces; a type that the kernel was built without is absent. */
export type NamespaceIds = Readonly<Partial<Record<OciNamespaceType, NamespaceId>>>;

/** What was found at a path that a specification names. */
export type NamespaceFile =
  | { readonly kind: "namespace"; readonly id: NamespaceId }
  | { readonly kind: "otherFile" }
  | { readonly kind: "unreachable"; readonly errno: string };

export interface NamespaceFacts {
  /** The namespaces that tsrun is in, and therefore the stage will start in. */
  readonly own: NamespaceIds;
  readonly files: ReadonlyMap<string, NamespaceFile>;
  /**
   * CAP_SETUID and CAP_SETGID: without both, a process may map only its own ids, and only after it
   * has given up setgroups(2). user_namespaces(7), "Defining user and group ID mappings".
   */
  readonly mayMapAnyId: boolean;
  /** Interfaces that are to be moved and are there, with the addresses that go with them. */
  readonly netDevices?: ReadonlyMap<string, readonly InterfaceAddress[]>;
}
