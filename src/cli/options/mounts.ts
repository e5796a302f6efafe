/**
 * --mount: "type=bind,source=/a,target=/b,ro", one CSV line with podman's keys.
 */
import { resolve } from "node:path/posix";
import type { MountRequest } from "../../engine/index.ts";
import { parseCsvLine } from "./csv.ts";
import { invalidValue, unsupportedValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";
import {
  checkMountOptions,
  isMountFlag,
  PROPAGATIONS,
  parseIdmapOption,
  parseTarget,
} from "./mount-options.ts";
import { parseBoolean, parseOctal } from "./number.ts";
import { parseSize } from "./size.ts";
import { checkVolumeName, type ParsedMount } from "./volumes.ts";

const FLAG = "--mount";

type MountType = "bind" | "tmpfs" | "volume";

interface Draft {
  readonly text: string;
  readonly cwd: string;
  readonly type: MountType;
  copyUp?: boolean;
  chown?: boolean;
  source?: string;
  target?: string;
  readonly options: string[];
  readonly notes: string[];
}

type KeyReader = (draft: Draft, value: string | undefined, key: string) => void;

export function parseMount(text: string, cwd: string): ParsedMount {
  const fields = parseCsvLine(text);
  if (!fields) {
    throw invalidValue(FLAG, text, "a quote is not closed", 'Write a field with a comma as "a,b".');
  }
  const pairs = fields.filter((field) => field !== "").map(splitKeyValue);
  const draft: Draft = { text, cwd, type: mountType(text, pairs), options: [], notes: [] };
  for (const { key, value } of pairs) {
    if (key === "type") continue;
    const read = KEYS[key] ?? TYPE_KEYS[draft.type][key];
    if (read) read(draft, value, key);
    else readFlag(draft, value, key);
  }
  checkMountOptions(FLAG, text, draft.options);
  return { mount: finish(draft), notes: draft.notes };
}

function mountType(
  text: string,
  pairs: readonly { readonly key: string; readonly value?: string }[],
): MountType {
  const type = pairs.find(({ key }) => key === "type")?.value ?? "volume";
  if (type === "bind" || type === "tmpfs" || type === "volume") return type;
  if (!["image", "devpts", "glob", "ramfs", "artifact"].includes(type)) {
    throw invalidValue(FLAG, text, `"${type}" is no type of mount`, USE_TYPES);
  }
  throw unsupportedValue(FLAG, text, `mounts of the type "${type}" are not there yet`, USE_TYPES);
}

const USE_TYPES = "Use type=volume, type=bind or type=tmpfs.";

function finish(draft: Draft): MountRequest {
  const { text, cwd, type, source, target, options } = draft;
  if (target === undefined) {
    throw invalidValue(FLAG, text, "it has no target", "Add target=/path/in/the/container.");
  }
  if (type === "tmpfs") return { type, target, options };
  if (type === "volume") return finishVolume(draft, target);
  if (source === undefined || source === "") {
    throw invalidValue(FLAG, text, "it has no source", "Add source=/path/on/the/host.");
  }
  return { type, source: resolve(cwd, source), target, options, createSource: false };
}

function finishVolume(
  { text, source, options, copyUp, chown }: Draft,
  target: string,
): MountRequest {
  return {
    type: "volume",
    ...(source === undefined ? {} : { name: checkVolumeName(FLAG, text, source) }),
    target,
    options,
    ...(copyUp === undefined ? {} : { copyUp }),
    ...(chown === undefined ? {} : { chown }),
  };
}

const readSource: KeyReader = (draft, value, key) => {
  if (draft.type === "tmpfs") {
    throw invalidValue(FLAG, draft.text, "a tmpfs has no source", `Leave out ${key}.`);
  }
  if (draft.source !== undefined) throw twice(draft, key);
  draft.source = needed(draft, value, key);
};

const readTarget: KeyReader = (draft, value, key) => {
  if (draft.target !== undefined) throw twice(draft, key);
  draft.target = parseTarget(FLAG, draft.text, needed(draft, value, key));
};

const readReadOnly: KeyReader = (draft, value) => {
  draft.options.push(value === undefined || parseBoolean(FLAG, value) ? "ro" : "rw");
};

const readChown: KeyReader = (draft, value, key) => {
  if (value !== undefined && !parseBoolean(FLAG, value)) return;
  if (draft.type === "volume") {
    draft.chown = true;
    return;
  }
  throw unsupportedValue(
    FLAG,
    draft.text,
    `"${key}" would change the owner of every file on the host`,
    "Use idmap: files keep their owner and look owned by the container.",
  );
};

const KEYS: Readonly<Record<string, KeyReader>> = {
  source: readSource,
  src: readSource,
  target: readTarget,
  destination: readTarget,
  dst: readTarget,
  ro: readReadOnly,
  readonly: readReadOnly,
  rw(draft, value) {
    draft.options.push(value === undefined || parseBoolean(FLAG, value) ? "rw" : "ro");
  },
  U: readChown,
  chown: readChown,
};

const readNoCopy: KeyReader = (draft, value) => {
  if (value === undefined || parseBoolean(FLAG, value)) draft.copyUp = false;
};

const VOLUME_KEYS: Readonly<Record<string, KeyReader>> = {
  nocopy: readNoCopy,
  "volume-nocopy": readNoCopy,
  idmap(draft, value) {
    draft.options.push(parseIdmapOption(FLAG, draft.text, value));
  },
};

const BIND_KEYS: Readonly<Record<string, KeyReader>> = {
  "bind-propagation"(draft, value, key) {
    const propagation = needed(draft, value, key);
    if (!PROPAGATIONS.includes(propagation)) {
      throw invalidValue(
        FLAG,
        draft.text,
        `"${propagation}" is no propagation`,
        `Use one of ${PROPAGATIONS.join(", ")}.`,
      );
    }
    draft.options.push(propagation);
  },
  "bind-nonrecursive"(draft, value) {
    draft.options.push(value === undefined || parseBoolean(FLAG, value) ? "bind" : "rbind");
  },
  relabel(draft, value, key) {
    const relabel = needed(draft, value, key);
    if (relabel !== "shared" && relabel !== "private") {
      throw invalidValue(FLAG, draft.text, `"${relabel}" is no relabelling`, "Leave relabel out.");
    }
    draft.notes.push(
      `"relabel" of ${FLAG} "${draft.text}" has no effect: tsrun does not relabel for SELinux`,
    );
  },
  idmap(draft, value) {
    draft.options.push(parseIdmapOption(FLAG, draft.text, value));
  },
};

const TMPFS_KEYS: Readonly<Record<string, KeyReader>> = {
  "tmpfs-size"(draft, value, key) {
    draft.options.push(tmpfsOption(FLAG, draft.text, "size", needed(draft, value, key)));
  },
  size(draft, value, key) {
    draft.options.push(tmpfsOption(FLAG, draft.text, "size", needed(draft, value, key)));
  },
  "tmpfs-mode"(draft, value, key) {
    draft.options.push(tmpfsOption(FLAG, draft.text, "mode", needed(draft, value, key)));
  },
  mode(draft, value, key) {
    draft.options.push(tmpfsOption(FLAG, draft.text, "mode", needed(draft, value, key)));
  },
  tmpcopyup: (draft) => void draft.options.push("tmpcopyup"),
  notmpcopyup: (draft) => void draft.options.push("notmpcopyup"),
};

const TYPE_KEYS: Readonly<Record<MountType, Readonly<Record<string, KeyReader>>>> = {
  bind: BIND_KEYS,
  tmpfs: TMPFS_KEYS,
  volume: VOLUME_KEYS,
};

const KNOWN_KEYS: Readonly<Record<MountType, string>> = {
  bind: "source, target, ro, bind-propagation, bind-nonrecursive, idmap and mount(8)'s options",
  tmpfs: "target, ro, tmpfs-size, tmpfs-mode and mount(8)'s options",
  volume: "source, target, ro, nocopy, U, idmap and mount(8)'s options",
};

/** One option of a tmpfs that takes a value, checked and as mount(8) wants it. tmpfs(5). */
export function tmpfsOption(flag: string, text: string, name: string, value: string): string {
  if (name === "size" && /^\d{1,3}%$/.test(value)) return `size=${value}`;
  if (name === "size") return `size=${parseSize(flag, value)}`;
  if (name === "mode") return `mode=${parseOctal(flag, value, 0o7777).toString(8)}`;
  if (["uid", "gid", "nr_inodes", "nr_blocks"].includes(name) && /^\d+[kmg]?$/i.test(value)) {
    return `${name}=${value}`;
  }
  throw invalidValue(
    flag,
    text,
    `"${name}=${value}" is no option of a tmpfs`,
    "Known are size=64m, mode=1777, uid=0, gid=0, nr_inodes=10k and those of mount(8).",
  );
}

/** "noexec", or podman's "noexec=true". */
const readFlag: KeyReader = (draft, value, key) => {
  if (PROPAGATIONS.includes(key) && value === undefined) return void draft.options.push(key);
  if (isMountFlag(key)) {
    if (value === undefined || parseBoolean(FLAG, value)) draft.options.push(key);
    return;
  }
  throw invalidValue(
    FLAG,
    draft.text,
    `a ${draft.type} mount has no key "${key}"`,
    `Known are ${KNOWN_KEYS[draft.type]}.`,
  );
};

function needed(draft: Draft, value: string | undefined, key: string): string {
  if (value !== undefined && value !== "") return value;
  throw invalidValue(FLAG, draft.text, `"${key}" has no value`, `Write ${key}=VALUE.`);
}

function twice(draft: Draft, key: string): Error {
  return invalidValue(FLAG, draft.text, `"${key}" is there twice`, "Keep one of them.");
}
