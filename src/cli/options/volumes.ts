/**
 * -v, --volume: SOURCE:TARGET[:OPTIONS], with podman's meaning of each option.
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
  const [source, target, optionText] = parts;
  if (parts.length > 3 || source === undefined || source === "" || text === "") {
    throw invalidValue(
      FLAG,
      text,
      "it is not SOURCE:TARGET[:OPTIONS]",
      "Write it as /host/path:/container/path:ro.",
    );
  }
  if (target === undefined) {
    throw unsupportedValue(
      FLAG,
      text,
      "tsrun has no anonymous volumes yet",
      "Name a host directory, as in /srv/data:/data, or use --tmpfs.",
    );
  }
  if (!/^[./]/.test(source)) {
    throw unsupportedValue(
      FLAG,
      text,
      `tsrun has no named volumes such as "${source}" yet`,
      `For a directory of the host begin with / or ./, as in ./${source}:${target}.`,
    );
  }
  const notes: string[] = [];
  const options = (optionText ?? "")
    .split(",")
    .filter((option) => option !== "")
    .flatMap((option) => volumeOption(text, option, notes));
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

/** What one option asks of the mount; an option without effect leaves a note. */
function volumeOption(text: string, option: string, notes: string[]): readonly string[] {
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
