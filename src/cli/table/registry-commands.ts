/** Commands for registries. */
import { IMAGE } from "./arguments.ts";
import { AUTHFILE, LOGIN_OPTIONS, PLATFORM, REGISTRY_OPTIONS } from "./registry-options.ts";
import { FORMAT } from "./shared-options.ts";
import type { ArgumentSpec, CommandSpec } from "./types.ts";

const REGISTRY: ArgumentSpec = { name: "REGISTRY", required: false, variadic: false };

export const REGISTRY_COMMANDS: readonly CommandSpec[] = [
  {
    name: "pull",
    aliases: ["image pull"],
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Bring images from a registry",
    arguments: [{ name: "NAME", required: true, variadic: true }],
    options: [
      PLATFORM,
      { name: "quiet", short: "q", kind: "flag", summary: "Print the ids alone" },
      ...REGISTRY_OPTIONS,
    ],
    description: [
      "NAME is HOST[:PORT]/NAME[:TAG][@DIGEST]. A name without a host is looked for where registries.conf says, or else in docker.io. Mirrors, insecure registries and aliases of registries.conf are honoured, and the credentials that podman and docker have stored.",
      "Layers that are there already are not fetched again, and a pull that was broken off goes on where it was. Prints each image's id.",
    ],
    examples: [
      { command: "tsrun pull debian:12", meaning: "From the registries of registries.conf" },
      {
        command: "tsrun pull --tls-verify=false localhost:5000/team/app",
        meaning: "From a registry without TLS",
      },
    ],
    load: () => import("../commands/pull.ts"),
  },
  {
    name: "push",
    aliases: ["image push"],
    group: "Images",
    withoutRoot: "in-namespace",
    summary: "Send an image to a registry",
    arguments: [IMAGE, { name: "DESTINATION", required: false, variadic: false }],
    options: [
      {
        name: "digestfile",
        kind: "value",
        placeholder: "FILE",
        summary: "Where to write the manifest's digest",
        completion: "files",
      },
      { name: "quiet", short: "q", kind: "flag", summary: "Say nothing" },
      ...REGISTRY_OPTIONS,
    ],
    description: [
      "DESTINATION is HOST[:PORT]/NAME[:TAG]; without it the image's own name says it. What the registry has already is not sent again, and what another of its repositories has is lent by that.",
    ],
    examples: [
      {
        command: "tsrun push app registry.example/team/app:1.2",
        meaning: "Under another name",
      },
    ],
    load: () => import("../commands/push.ts"),
  },
  {
    name: "image referrers",
    group: "Images",
    withoutRoot: "as-is",
    summary: "Show what a registry has about an image: signatures, bills of materials",
    arguments: [{ name: "NAME", required: true, variadic: false }],
    options: [FORMAT, ...REGISTRY_OPTIONS],
    description: ["NAME is looked up in its registry; the image need not be here."],
    examples: [
      { command: "tsrun image referrers registry.example/team/app:1.2", meaning: "All of them" },
    ],
    load: () => import("../commands/image-referrers.ts"),
  },
  {
    name: "login",
    group: "Images",
    withoutRoot: "as-is",
    summary: "Store credentials for a registry",
    arguments: [REGISTRY],
    options: [
      {
        name: "username",
        short: "u",
        kind: "value",
        placeholder: "USER",
        summary: "Asked for without it",
      },
      {
        name: "password",
        short: "p",
        kind: "value",
        placeholder: "PASSWORD",
        summary: "Asked for without it; others can see it on a command line",
      },
      { name: "password-stdin", kind: "flag", summary: "Read the password from stdin" },
      { name: "get-login", kind: "flag", summary: "Print who is logged in, and change nothing" },
      { name: "verbose", short: "v", kind: "flag", summary: "Say where they are stored" },
      ...LOGIN_OPTIONS,
    ],
    description: [
      "Tries the credentials and writes them to auth.json, where podman, skopeo and buildah find them too, or gives them to the credential helper that is named there.",
    ],
    examples: [
      {
        command: "tsrun login -u me --password-stdin registry.example < token",
        meaning: "In a script",
      },
    ],
    load: () => import("../commands/login.ts"),
  },
  {
    name: "logout",
    group: "Images",
    withoutRoot: "as-is",
    summary: "Forget credentials for a registry",
    arguments: [REGISTRY],
    options: [{ name: "all", short: "a", kind: "flag", summary: "Forget all of them" }, AUTHFILE],
    description: ["Removes them from auth.json or from the credential helper."],
    examples: [{ command: "tsrun logout registry.example", meaning: "One" }],
    load: () => import("../commands/logout.ts"),
  },
];
