/**
 * Mandatory access control: which AppArmor profile and SELinux label a container runs under.
 * `--security-opt apparmor=…` and `label=…`, podman-run(1).
 */
import { TsrunError } from "../base/errors.ts";

export interface LabelFacts {
  readonly apparmor: {
    readonly enabled: boolean;
    /** Names of the loaded profiles; undefined where the list cannot be read. */
    readonly profiles: ReadonlySet<string> | undefined;
  };
  readonly selinux: {
    readonly enabled: boolean;
    /** What the policy says that containers run as (lxc_contexts(5)); undefined: it knows none. */
    readonly contexts?: { readonly process: string; readonly file: string };
    /** Two random categories, "c12,c345", which keep containers apart. */
    readonly categories: string;
  };
}

/**
 * The profile for process.apparmorProfile; undefined leaves the process as it is.
 * "unconfined" is always possible. Throws UNSUPPORTED where AppArmor is not enabled, NOT_FOUND for a
 * profile that is not loaded. Without a request nothing is set: tsrun brings no profile of its own.
 */
export function planApparmor(
  requested: string | undefined,
  { apparmor }: LabelFacts,
): string | undefined {
  if (requested === undefined || requested === "") return undefined;
  if (requested === "unconfined") return apparmor.enabled ? requested : undefined;
  if (!apparmor.enabled) {
    throw new TsrunError(
      "UNSUPPORTED",
      `cannot apply the AppArmor profile "${requested}": AppArmor is not enabled on this machine`,
      {
        hint: "Leave --security-opt apparmor= out, or boot with apparmor=1 and security=apparmor.",
      },
    );
  }
  if (apparmor.profiles && !apparmor.profiles.has(requested)) {
    throw new TsrunError("NOT_FOUND", `the AppArmor profile "${requested}" is not loaded`, {
      hint: "Load it with apparmor_parser(8); aa-status(8) lists the loaded ones.",
    });
  }
  return requested;
}

const LABEL_FIELDS = ["user", "role", "type", "level"] as const;
type LabelField = (typeof LABEL_FIELDS)[number];

export interface LabelPlan {
  readonly selinuxLabel?: string;
  readonly mountLabel?: string;
}

/**
 * The label of the process and of its mounts from `label=` values in order: "disable", "user:U",
 * "role:R", "type:T", "level:L", "filetype:T". Of several on one field the later counts; the others
 * come from the policy, the level with categories of the container's own.
 * Where SELinux is not enabled, "disable" is what is so anyway, and any other is UNSUPPORTED.
 * Throws INVALID_ARGUMENT for a value that is none of these.
 */
export function planSelinux(requested: readonly string[], { selinux }: LabelFacts): LabelPlan {
  const options = requested.map(parseLabelOption);
  const first = options.find((option) => option.field !== "disable");
  if (first && !(selinux.enabled && selinux.contexts)) {
    const why = selinux.enabled
      ? "the policy has no contexts for containers"
      : "SELinux is not enabled on this machine";
    throw new TsrunError("UNSUPPORTED", `cannot apply "label=${first.text}": ${why}`, {
      hint: selinux.enabled
        ? "Install container-selinux, or give label=disable."
        : "Leave --security-opt label= out, or give label=disable.",
    });
  }
  const isDisabled = options.some((option) => option.field === "disable");
  if (!selinux.enabled || !selinux.contexts || isDisabled) return {};

  const process = splitContext(selinux.contexts.process);
  const file = splitContext(selinux.contexts.file);
  const values = new Map(options.map((option) => [option.field, option.value]));
  const level = values.get("level") ?? `${process.level}:${selinux.categories}`;
  const label = LABEL_FIELDS.map((field) =>
    field === "level" ? level : (values.get(field) ?? process[field]),
  );
  const fileType = values.get("filetype") ?? file.type;
  return {
    selinuxLabel: label.join(":"),
    mountLabel: [values.get("user") ?? file.user, file.role, fileType, level].join(":"),
  };
}

/** "system_u:system_r:container_t:s0"; the level may itself hold colons, and is replaced or extended. */
function splitContext(context: string): Record<LabelField, string> {
  const [user = "", role = "", type = "", sensitivity = "s0"] = context.split(":");
  return { user, role, type, level: sensitivity };
}

interface LabelOption {
  readonly field: LabelField | "filetype" | "disable";
  readonly value: string;
  readonly text: string;
}

function parseLabelOption(text: string): LabelOption {
  if (text === "disable") return { field: "disable", value: "", text };
  const match = /^(user|role|type|level|filetype):(.+)$/.exec(text);
  if (match) {
    return { field: match[1] as LabelField | "filetype", value: match[2] ?? "", text };
  }
  throw new TsrunError("INVALID_ARGUMENT", `"label=${text}" is not a label option`, {
    hint: "Write label=disable, or label=FIELD:VALUE with user, role, type, level or filetype.",
  });
}
