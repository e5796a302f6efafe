/**
 * --security-opt, --cap-add and --cap-drop.
 */
import { resolve } from "node:path/posix";
import type { SecurityRequest } from "../../engine/index.ts";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";
import { parseBoolean } from "./number.ts";

const FLAG = "--security-opt";
type Draft = { -readonly [K in keyof SecurityRequest]: SecurityRequest[K] };
type Reader = (draft: Draft, value: string, text: string, cwd: string) => void;

/** "NAME=VALUE" or, as older podman wrote it, "NAME:VALUE". A later one of a name wins. */
export function parseSecurityOptions(texts: readonly string[], cwd: string): SecurityRequest {
  const draft: Draft = {};
  for (const text of texts) {
    const match = /^([a-z-]+)(?:[=:](.*))?$/s.exec(text);
    const read = match?.[1] === undefined ? undefined : READERS[match[1]];
    if (!read) throw invalidValue(FLAG, text, "it is no security option", HINT);
    read(draft, match?.[2] ?? "", text, cwd);
  }
  return draft;
}

const HINT =
  "Use no-new-privileges, seccomp=FILE, seccomp=unconfined, apparmor=PROFILE, label=disable, mask=PATHS or unmask=PATHS.";

const READERS: Readonly<Record<string, Reader>> = {
  "no-new-privileges"(draft, value) {
    draft.noNewPrivileges = value === "" || parseBoolean(FLAG, value);
  },
  seccomp(draft, value, text, cwd) {
    draft.seccomp = value === "unconfined" ? value : resolve(cwd, needed(text, value));
  },
  apparmor(draft, value, text) {
    draft.apparmor = needed(text, value);
  },
  label(draft, value, text) {
    draft.labels = [...(draft.labels ?? []), needed(text, value)];
  },
  mask(draft, value, text) {
    draft.mask = [...(draft.mask ?? []), ...paths(text, value)];
  },
  unmask(draft, value, text) {
    const all = value.toUpperCase() === "ALL";
    draft.unmask = [...(draft.unmask ?? []), ...(all ? ["ALL"] : paths(text, value))];
  },
  systempaths(draft, value, text) {
    if (value !== "unconfined") {
      throw invalidValue(
        FLAG,
        text,
        "only unconfined is possible",
        "Write systempaths=unconfined, or unmask=PATHS.",
      );
    }
    draft.unmask = [...(draft.unmask ?? []), "ALL"];
  },
  "proc-opts"(_draft, _value, text) {
    throw unsupportedValue(FLAG, text, "options of /proc are not there yet", "Leave it out.");
  },
};

function needed(text: string, value: string): string {
  if (value !== "") return value;
  throw invalidValue(FLAG, text, "it has no value", "Write it as NAME=VALUE.");
}

/** Paths with colons between. */
function paths(text: string, value: string): readonly string[] {
  const all = needed(text, value).split(":");
  const wrong = all.find((path) => !path.startsWith("/"));
  if (wrong === undefined) return all;
  throw invalidValue(
    FLAG,
    text,
    `the path "${wrong}" is not absolute`,
    "Write absolute paths with colons between.",
  );
}

/** "net_admin", "CAP_NET_ADMIN" or "all" as the kernel writes it; lists with commas are taken apart. */
export function parseCapabilities(flag: string, texts: readonly string[]): readonly string[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((text) => {
      const name = text.trim().toUpperCase();
      if (!/^[A-Z][A-Z_]*$/.test(name)) {
        throw invalidValue(
          flag,
          text,
          "it is no capability",
          "Use names of capabilities(7) such as NET_ADMIN, or ALL.",
        );
      }
      return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
    });
}
