/**
 * index.json's entries as values. A name has one entry that it points to and one for each version
 * that it pointed to before; an entry without any name keeps an image that a container stands on.
 * All of it is in the annotations, so that one file changes at once, and other tools read it as the
 * OCI image layout that it is (image-spec image-layout.md).
 */
import { TsrunError } from "../base/errors.ts";
import type { Descriptor } from "./config.ts";

/** What a name points to now. */
const REF_NAME = "org.opencontainers.image.ref.name";
/** Which version of the name the entry is: 1 is the oldest. */
const VERSION = "dev.tsrun.version";
/** Which name had this version, where the name points elsewhere now. */
const VERSION_OF = "dev.tsrun.version.of";
/** When the name came to point here, in RFC 3339. */
const SINCE = "dev.tsrun.version.since";
/** "host/repository@sha256:…", where a registry has it. */
const SOURCE = "dev.tsrun.source";

export interface IndexEntry extends Descriptor {
  readonly annotations: Readonly<Partial<Record<string, string>>>;
}

/** One thing that a name points to or has pointed to. */
export interface NameVersion {
  readonly name: string;
  readonly version: number;
  readonly current: boolean;
  readonly since: string;
  readonly digest: string;
  readonly source: string | undefined;
}

/** Versions before the current one that a name keeps. */
const MAX_PAST_VERSIONS = 10;

export function nameOf({ annotations }: IndexEntry): string | undefined {
  return annotations[REF_NAME];
}

export function sourceOf({ annotations }: IndexEntry): string | undefined {
  return annotations[SOURCE];
}

/** The name that the entry belongs to, now or as a version. */
function ownerOf({ annotations }: IndexEntry): string | undefined {
  return annotations[REF_NAME] ?? annotations[VERSION_OF];
}

export function versionsOf(entries: readonly IndexEntry[], name: string): readonly NameVersion[] {
  return entries
    .filter((entry) => ownerOf(entry) === name)
    .map((entry) => ({
      name,
      version: versionNumber(entry),
      current: nameOf(entry) === name,
      since: entry.annotations[SINCE] ?? "",
      digest: entry.digest,
      source: sourceOf(entry),
    }))
    .toSorted((a, b) => b.version - a.version);
}

function versionNumber({ annotations }: IndexEntry): number {
  return Number(annotations[VERSION] ?? 1);
}

export interface Pointing {
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly now: string;
  readonly source?: string | undefined;
}

/** Points a name at a manifest. What it pointed to becomes its newest past version. */
export function pointName(
  entries: readonly IndexEntry[],
  { name, descriptor, now, source }: Pointing,
): readonly IndexEntry[] {
  const { mediaType, digest, size } = descriptor;
  const current = entries.find((entry) => nameOf(entry) === name);
  const origin = source ?? (current?.digest === digest ? sourceOf(current) : undefined);
  const said = {
    [REF_NAME]: name,
    ...(origin === undefined ? {} : { [SOURCE]: origin }),
  };
  if (current?.digest === digest) {
    const annotations = { ...current.annotations, ...said };
    return entries.map((entry) => (entry === current ? { ...entry, annotations } : entry));
  }
  const [newest] = versionsOf(entries, name);
  const version = String((newest?.version ?? 0) + 1);
  const pointed = {
    ...{ mediaType, digest, size },
    annotations: { ...said, [VERSION]: version, [SINCE]: now },
  };
  // A bare entry of the same image has kept it for this.
  const others = entries.filter((entry) => entry.digest !== digest || ownerOf(entry) !== undefined);
  return dropOldest(
    [...others.map((entry) => (entry === current ? toPast(entry) : entry)), pointed],
    name,
  );
}

function toPast(entry: IndexEntry): IndexEntry {
  const { [REF_NAME]: name = "", ...rest } = entry.annotations;
  return { ...entry, annotations: { ...rest, [VERSION_OF]: name } };
}

function toCurrent(entry: IndexEntry, now: string): IndexEntry {
  const { [VERSION_OF]: name = "", ...rest } = entry.annotations;
  return { ...entry, annotations: { ...rest, [REF_NAME]: name, [SINCE]: now } };
}

function dropOldest(entries: readonly IndexEntry[], name: string): readonly IndexEntry[] {
  const past = versionsOf(entries, name).filter(({ current }) => !current);
  const dropped = new Set(past.slice(MAX_PAST_VERSIONS).map(({ version }) => version));
  return entries.filter(
    (entry) => entry.annotations[VERSION_OF] !== name || !dropped.has(versionNumber(entry)),
  );
}

/** Makes a past version what the name points to. Throws NOT_FOUND. */
export function promoteVersion(
  entries: readonly IndexEntry[],
  { name, version, now }: { readonly name: string; readonly version: number; readonly now: string },
): readonly IndexEntry[] {
  const wanted = versionsOf(entries, name).find((known) => known.version === version);
  if (!wanted) throw noVersion(entries, name, version);
  if (wanted.current) return entries;
  return entries.map((entry) => {
    if (nameOf(entry) === name) return toPast(entry);
    const isWanted = ownerOf(entry) === name && versionNumber(entry) === version;
    return isWanted ? toCurrent(entry, now) : entry;
  });
}

function noVersion(entries: readonly IndexEntry[], name: string, version: number): TsrunError {
  const known = versionsOf(entries, name).map((one) => one.version);
  return new TsrunError("NOT_FOUND", `"${name}" has no version ${version}`, {
    hint:
      known.length === 0
        ? "`tsrun image ls` lists the names."
        : `It has ${known.toReversed().join(", ")}.`,
  });
}

/** The version before the current one. Throws WRONG_STATE where there is none. */
export function previousVersion(entries: readonly IndexEntry[], name: string): number {
  const versions = versionsOf(entries, name);
  const at = versions.findIndex(({ current }) => current);
  const previous = versions[at + 1];
  if (at >= 0 && previous) return previous.version;
  if (at < 0) throw noVersion(entries, name, 0);
  throw new TsrunError("WRONG_STATE", `"${name}" has no earlier version to go back to`, {
    hint: "`tsrun image history-of` shows what it has pointed to.",
  });
}

/** Takes names away with their versions. `kept`: manifests that somebody stands on stay, bare. */
export function removeNames(
  entries: readonly IndexEntry[],
  names: ReadonlySet<string>,
  kept: ReadonlySet<string>,
): readonly IndexEntry[] {
  return dropEntries(entries, (entry) => names.has(ownerOf(entry) ?? ""), kept);
}

/** Takes past versions away, and bare entries that nobody stands on. */
export function removePast(
  entries: readonly IndexEntry[],
  { versions, kept }: { readonly versions: boolean; readonly kept: ReadonlySet<string> },
): readonly IndexEntry[] {
  return dropEntries(
    entries,
    (entry) => nameOf(entry) === undefined && (versions || ownerOf(entry) === undefined),
    kept,
  );
}

function dropEntries(
  entries: readonly IndexEntry[],
  drops: (entry: IndexEntry) => boolean,
  kept: ReadonlySet<string>,
): readonly IndexEntry[] {
  const staying = entries.filter((entry) => !drops(entry));
  const present = new Set(staying.map(({ digest }) => digest));
  const bare = new Map<string, IndexEntry>();
  for (const { mediaType, digest, size } of entries.filter(drops)) {
    const needed = kept.has(digest) && !present.has(digest);
    if (needed) bare.set(digest, { mediaType, digest, size, annotations: {} });
  }
  return [...staying, ...bare.values()];
}
