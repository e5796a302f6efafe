/**
 * The local driver's options (`volume create --opt`), as podman and docker have them: type, device and
 * o are mount(8)'s; without a type, o may say who owns the volume.
 */
import { TsrunError } from "../base/errors.ts";

export type Backing =
  /** In the store. */
  | { readonly kind: "directory"; readonly uid?: number; readonly gid?: number }
  /** A file with an ext4 of its own, of exactly this size; mounted likewise. */
  | { readonly kind: "image"; readonly sizeBytes: number }
  /** A directory of the host: nothing is copied into it, and it is never removed. */
  | { readonly kind: "bind"; readonly path: string; readonly options: readonly string[] }
  /** Mounted on the volume's place while somebody uses it. */
  | {
      readonly kind: "mount";
      readonly type: string;
      readonly device: string;
      readonly options: readonly string[];
    };

interface LocalOptions {
  readonly type?: string;
  readonly device?: string;
  readonly o?: string;
  readonly size?: string;
}

/** Whether it is mounted on the host while containers use it. */
export function isMountedBacking(
  backing: Backing,
): backing is Extract<Backing, { readonly kind: "mount" | "image" }> {
  return backing.kind === "mount" || backing.kind === "image";
}

const KNOWN: readonly (keyof LocalOptions)[] = ["type", "device", "o", "size"];

/** Throws INVALID_ARGUMENT for options that mean nothing together. */
export function planBacking(options: Readonly<Record<string, string>>): Backing {
  const unknown = Object.keys(options).find((key) => !KNOWN.some((known) => known === key));
  if (unknown !== undefined) {
    throw wrong(
      `a local volume has no option "${unknown}"`,
      "Options are type=, device=, o= and size=.",
    );
  }
  const { type, device, o = "", size } = options as LocalOptions;
  const words = [...o.split(",").filter((word) => word !== ""), ...sizeWords(size)];
  if (type === "bind" || words.includes("bind") || words.includes("rbind")) {
    return planBind(type, device, words);
  }
  if (type === undefined || type === "none") {
    const asked = words.findLast((word) => word.startsWith("size="));
    if (asked === undefined) return planDirectory(device, words);
    return planImage(asked.slice("size=".length), {
      device,
      others: words.filter((w) => !isSize(w)),
    });
  }
  if (type === "tmpfs") return { kind: "mount", type, device: device ?? "tmpfs", options: words };
  if (size !== undefined) {
    throw wrong(`a volume of the type "${type}" has its device's size`, "Leave out size.");
  }
  if (device === undefined || device === "") {
    throw wrong(`a volume of the type "${type}" needs a device`, "Add --opt device=/dev/….");
  }
  return { kind: "mount", type, device, options: words };
}

function isSize(word: string): boolean {
  return word.startsWith("size=");
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};
/** ext4 wants room for its journal. */
const SMALLEST_BYTES = 2 ** 20;

/** "1g", "500m", "1048576", also with a b behind. */
function planImage(
  text: string,
  { device, others }: { readonly device: string | undefined; readonly others: readonly string[] },
): Backing {
  const [, number, unit = ""] = /^(\d+)([kmgt]?)b?$/i.exec(text) ?? [];
  const sizeBytes = Number(number) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < SMALLEST_BYTES) {
    throw wrong(
      `"${text}" is no size for a volume`,
      "Write a size of at least 1m, such as 500m or 2g.",
    );
  }
  if (device !== undefined || others.length > 0) {
    throw wrong(
      "a volume with a size has no other options",
      "Leave out device, uid= and the like.",
    );
  }
  return { kind: "image", sizeBytes };
}

function sizeWords(size: string | undefined): readonly string[] {
  return size === undefined ? [] : [`size=${size}`];
}

function planBind(
  type: string | undefined,
  device: string | undefined,
  words: readonly string[],
): Backing {
  if (type !== undefined && type !== "none" && type !== "bind") {
    throw wrong(`a bind mount is not of the type "${type}"`, "Leave out type, or o=bind.");
  }
  if (words.some(isSize)) {
    throw wrong("a directory of the host has no size of its own", "Leave out size.");
  }
  if (!device?.startsWith("/")) {
    throw wrong(
      "a volume that is a bind mount needs a directory",
      "Add --opt device=/directory/of/the/host, an absolute path.",
    );
  }
  const recursive = !words.includes("bind") || words.includes("rbind");
  const options = words.filter((word) => word !== "bind" && word !== "rbind");
  return { kind: "bind", path: device, options: [recursive ? "rbind" : "bind", ...options] };
}

function planDirectory(device: string | undefined, words: readonly string[]): Backing {
  if (device !== undefined) {
    throw wrong(
      `the device "${device}" cannot be mounted without a type`,
      "Add --opt type=ext4 or whatever it is, or --opt o=bind for a directory.",
    );
  }
  const owner: { uid?: number; gid?: number } = {};
  for (const word of words) {
    const [, key, id] = /^(uid|gid)=(\d+)$/i.exec(word) ?? [];
    if (key === undefined) {
      throw wrong(
        `"${word}" means nothing without a type`,
        "Add --opt type=, or use uid= and gid=.",
      );
    }
    owner[key.toLowerCase() as "uid" | "gid"] = Number(id);
  }
  return { kind: "directory", ...owner };
}

function wrong(message: string, hint: string): TsrunError {
  return new TsrunError("INVALID_ARGUMENT", message, { hint, origin: "--opt" });
}
