/**
 * -v, --volume: [SOURCE:]TARGET[:OPTIONS], with podman's meaning of each option.
 */
import { resolve } from "node:path/posix";
import type { MountRequest } from "../../engine/index.ts";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";
import {
  checkMountOptions,
  isMountFlag,
  PROPAGATIONS,
  parseIdmapOption,
  parseTarget,
} from "./mount-options.ts";

const FLAG = "--volume";

export interface ParsedMount {
  readonly mount: MountRequest;
  /** What the user should know: an option that was understood and has no effect here. */
  readonly notes: readonly string[];
}

/** `cwd` is what a relative source ("./data") is relative to. */
export function parseVolume(text: string, cwd: string): ParsedMount {
  const parts = text.split(":");
  if (parts.length > 3 || parts[0] === "") {
    throw invalidValue(
      FLAG,
      text,
      "it is not [SOURCE:]TARGET[:OPTIONS]",
      "Write it as /host/path:/container/path:ro or name:/container/path.",
    );
  }
  const [source = "", target, optionText = ""] = parts;
  const words = optionText.split(",").filter((option) => option !== "");
  if (target === undefined) return parseVolumeMount(text, { target: source }, words);
  if (!/^[./]/.test(source)) return parseVolumeMount(text, { name: source, target }, words);
  const notes: string[] = [];
  const options = words.flatMap((option) => mountOption(text, option, notes));
  checkMountOptions(FLAG, text, options);
  return {
    mount: {
      type: "bind",
      source: resolve(cwd, source),
      target: parseTarget(FLAG, text, target),
      options,
      createSource: true,
    },
    notes,
  };
}

/** Of a named volume, or without a name of one that is the container's own. */
function parseVolumeMount(
  text: string,
  { name, target }: { readonly name?: string; readonly target: string },
  words: readonly string[],
): ParsedMount {
  const notes: string[] = [];
  const options = words
    .filter((word) => !VOLUME_WORDS.has(word))
    .flatMap((option) => mountOption(text, option, notes));
  checkMountOptions(FLAG, text, options);
  return {
    mount: {
      type: "volume",
      ...(name === undefined ? {} : { name: checkVolumeName(FLAG, text, name) }),
      target: parseTarget(FLAG, text, target),
      options,
      ...(words.includes("nocopy") ? { copyUp: false } : {}),
      ...(words.includes("U") ? { chown: true } : {}),
    },
    notes,
  };
}

const VOLUME_WORDS: ReadonlySet<string> = new Set(["copy", "nocopy", "U"]);

export function checkVolumeName(flag: string, text: string, name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) return name;
  throw invalidValue(
    flag,
    text,
    `"${name}" is no name for a volume`,
    "Use letters, digits, _, . and -; a directory of the host begins with / or ./.",
  );
}

/** What one option asks of the mount; an option without effect leaves a note. */
function mountOption(text: string, option: string, notes: string[]): readonly string[] {
  if (isMountFlag(option) || PROPAGATIONS.includes(option)) return [option];
  if (option === "z" || option === "Z") {
    notes.push(
      `the option "${option}" of ${FLAG} "${text}" has no effect: tsrun does not relabel for SELinux`,
    );
    return [];
  }
  if (option === "copy" || option === "nocopy") {
    notes.push(
      `the option "${option}" of ${FLAG} "${text}" has no effect: it is for named volumes`,
    );
    return [];
  }
  if (option === "idmap") return ["idmap"];
  if (option.startsWith("idmap=")) {
    return [parseIdmapOption(FLAG, text, option.slice("idmap=".length))];
  }
  const refused = REFUSED[option];
  if (refused) throw unsupportedValue(FLAG, text, ...refused);
  throw invalidValue(
    FLAG,
    text,
    `"${option}" is no mount option`,
    "Known are ro, rw, noexec, nosuid, nodev, rbind, rslave, rshared, rprivate, idmap and others of mount(8).",
  );
}

const REFUSED: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  U: [
    'the option "U" would change the owner of every file on the host',
    "Use the option idmap: files keep their owner and look owned by the container.",
  ],
  O: [
    'the option "O" (an overlay over the source) is not there yet',
    "Copy the directory, or mount it ro.",
  ],
};
