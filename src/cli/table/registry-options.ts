/** Options of commands that talk to registries: podman's names. */
import type { OptionSpec } from "./option-spec.ts";

const GROUP = "Registry";

const TLS: readonly OptionSpec[] = [
  {
    name: "tls-verify",
    kind: "flag",
    summary: "Refuse registries without TLS, or with a certificate that is not trusted",
    default: "true",
    group: GROUP,
  },
  {
    name: "cert-dir",
    kind: "value",
    placeholder: "DIR",
    summary: "Certificates and keys, instead of those in certs.d",
    completion: "directories",
    group: GROUP,
  },
];

export const AUTHFILE: OptionSpec = {
  name: "authfile",
  kind: "value",
  placeholder: "FILE",
  summary: "Where credentials are, instead of auth.json and docker's config.json",
  completion: "files",
  group: GROUP,
};

/** Of login, which has the credentials from elsewhere. */
export const LOGIN_OPTIONS: readonly OptionSpec[] = [...TLS, AUTHFILE];

export const REGISTRY_OPTIONS: readonly OptionSpec[] = [
  ...LOGIN_OPTIONS,
  {
    name: "creds",
    kind: "value",
    placeholder: "USER[:PASSWORD]",
    summary: "Credentials for this once",
    group: GROUP,
  },
];

export const PLATFORM: OptionSpec = {
  name: "platform",
  kind: "value",
  placeholder: "OS/ARCH[/VARIANT]",
  summary: "Which of the image's platforms; this machine's without it",
};

/** What run and create take to bring an image that is not there. */
export const PULL_OPTIONS: readonly OptionSpec[] = [
  {
    name: "pull",
    kind: "value",
    placeholder: "POLICY",
    summary: "When to pull the image: always, missing, never or newer",
    default: "missing",
    choices: ["always", "missing", "never", "newer"],
    group: GROUP,
  },
  { ...PLATFORM, group: GROUP },
  ...REGISTRY_OPTIONS,
];
