/**
 * Several layers that nobody writes to any more as one, without copying what files hold: a new tree of
 * directories in which every file is one more name (a hard link) of the layer's own. The layers stay as
 * they are. Needs no mount, and as many descriptors as layers have the same directories.
 */
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { syncDirectory } from "../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { faultPoint } from "../base/fault.ts";
import {
  chmodAt,
  chownAt,
  copyEntry,
  copyXattrs,
  directoryNames,
  entryPath,
  getXattr,
  linkAt,
  listXattrs,
  makeDirectoryAt,
  openDirectoryAt,
  type Statx,
  setTimesAt,
  setXattr,
  statx,
} from "../ffi/index.ts";
import { type EntryKind, Layer } from "./layer-view.ts";
import { planMergedEntry } from "./plan-merge.ts";

const S_IFMT = 0o170000;
const TYPE = { directory: 0o040000, file: 0o100000, device: 0o020000 } as const;
const PERMISSIONS = 0o7777;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Makes the directory `target`, which shows what `layers` (uppermost first) show on top of each other.
 * Whiteouts of what none of `below` has are left out: nothing of a file that came and went stays. It is on
 * the disk on return; what is left of it by an error is the caller's to remove. Throws OVERLAY_UNSUPPORTED
 * for a layer that cannot be understood without those below it.
 */
export function mergeLayers({
  layers,
  below,
  target,
}: {
  readonly layers: readonly string[];
  readonly below: readonly string[];
  readonly target: string;
}): void {
  mkdirSync(target, { mode: 0o700 });
  faultPoint();
  const open: number[] = [];
  const hidden: Layer[] = [];
  try {
    for (const path of [target, ...layers]) open.push(openSync(path, DIRECTORY));
    for (const path of below) hidden.push(new Layer(path));
    const [top, ...sources] = open;
    if (top !== undefined) new Merge(top, hidden).run(sources);
  } finally {
    for (const fd of open) closeSync(fd);
    for (const layer of hidden) layer[Symbol.dispose]();
  }
  faultPoint();
  syncDirectory(target);
}

/** An entry of one layer: `name` in the open directory `from`. */
interface Found {
  readonly from: number;
  readonly name: Buffer;
  readonly stat: Statx;
  readonly kind: EntryKind;
}

/** A directory of the merged tree while it is filled. */
interface Place {
  readonly fd: number;
  /** Relative to the top. */
  readonly path: Buffer;
  /** Layers below show through. */
  readonly isOpen: boolean;
}

/** What was linked into a directory, as far as its own marks depend on it. */
interface Marks {
  readonly opaque: boolean;
  whiteouts: boolean;
  /** Whiteouts in the form of an attribute, which overlayfs looks for in marked directories only. */
  xattrWhiteouts: boolean;
}

class Merge {
  readonly #top: number;
  readonly #below: readonly Layer[];
  /** What could not be linked, by inode: where its copy is, relative to the top. */
  readonly #copies = new Map<string, Buffer>();
  /** In which form this store's overlays write their marks. */
  #prefix = "trusted.overlay.";

  constructor(top: number, below: readonly Layer[]) {
    this.#top = top;
    this.#below = below;
  }

  run(sources: readonly number[]): void {
    const [first] = sources;
    if (first === undefined) return;
    const marks = this.#fill(
      { fd: this.#top, path: Buffer.alloc(0), isOpen: true },
      sources,
      false,
    );
    const root = Buffer.from(".");
    this.#attributes({ from: first, name: root, stat: statx(first, "") }, this.#top, marks);
  }

  /** `parts`: the same directory in each layer that has it, open, uppermost first. */
  #fill(place: Place, parts: readonly number[], opaque: boolean): Marks {
    const marks: Marks = { opaque, whiteouts: false, xattrWhiteouts: false };
    const names = new Map<string, number[]>();
    for (const fd of parts) {
      for (const name of directoryNames(fd)) {
        const key = name.toString("latin1"); // each byte is a character
        const having = names.get(key);
        if (having) having.push(fd);
        else names.set(key, [fd]);
      }
    }
    const isNeeded = this.#whiteoutFilter(place);
    for (const [key, having] of names) {
      const name = Buffer.from(key, "latin1");
      const entries = this.#readEntries(having, name);
      const merged = planMergedEntry(kindsOf(entries));
      const first = entries[0] as Found;
      if (merged.kind === "directory") {
        const found = merged.parts.map((at) => entries[at] as Found);
        this.#directory(place, found, merged.opaque);
      } else if (merged.kind === "other" || isNeeded(name)) {
        this.#link(place, first);
        marks.whiteouts ||= merged.kind === "whiteout";
        marks.xattrWhiteouts ||= merged.kind === "whiteout" && typeOf(first) === TYPE.file;
      }
    }
    return marks;
  }

  /** All of them only where the first is a directory: else it alone counts. */
  #readEntries(having: readonly number[], name: Buffer): readonly Found[] {
    const entries: Found[] = [];
    for (const from of having) {
      const stat = statx(from, name);
      entries.push({ from, name, stat, kind: this.#readKind(from, name, stat) });
      if (entries[0] && typeOf(entries[0]) !== TYPE.directory) break;
    }
    return entries;
  }

  #readKind(from: number, name: Buffer, stat: Statx): EntryKind {
    const type = stat.mode & S_IFMT;
    if (type === TYPE.device && stat.rdevMajor === 0 && stat.rdevMinor === 0) return "whiteout";
    if (type !== TYPE.directory && type !== TYPE.file) return "other";
    const path = entryPath(from, name);
    const own = listXattrs(path).filter((attribute) => OVERLAY_XATTR.test(attribute));
    const named = (mark: string) => own.find((attribute) => attribute.endsWith(`.overlay.${mark}`));
    if (named("redirect") !== undefined || named("metacopy") !== undefined) throw incomplete(name);
    const prefix = OVERLAY_XATTR.exec(own[0] ?? "")?.[0];
    if (prefix !== undefined) this.#prefix = prefix;
    if (type === TYPE.file) {
      return stat.size === 0n && named("whiteout") !== undefined ? "whiteout" : "other";
    }
    const opaque = named("opaque");
    const value = opaque === undefined ? undefined : getXattr(path, opaque);
    return value && Buffer.from(value).toString() === "y" ? "opaque-directory" : "directory";
  }

  #directory(place: Place, found: readonly Found[], opaque: boolean): void {
    const [first] = found;
    if (!first) return;
    const { name } = first;
    makeDirectoryAt(place.fd, name, 0o700);
    const open: number[] = [];
    try {
      for (const { from } of [{ from: place.fd }, ...found]) open.push(openDirectoryAt(from, name));
      const [to = -1, ...parts] = open;
      const path = pathIn(place, name);
      const marks = this.#fill({ fd: to, path, isOpen: place.isOpen && !opaque }, parts, opaque);
      this.#attributes(first, to, marks); // after its contents, which change its times
    } finally {
      for (const fd of open) closeSync(fd);
    }
  }

  /** As the uppermost layer has them; `to` is open. The order is chown(2)'s: it takes set-user-ID away. */
  #attributes(
    { from, name, stat }: Pick<Found, "from" | "name" | "stat">,
    to: number,
    marks: Marks,
  ): void {
    const target = Buffer.from(`/proc/self/fd/${to}/.`);
    chownAt(to, "", stat.uid, stat.gid);
    chmodAt(to, "", stat.mode & PERMISSIONS);
    copyXattrs(entryPath(from, name), target, (attribute) => !OPAQUE.test(attribute));
    if (marks.opaque || marks.xattrWhiteouts) {
      setXattr(target, `${this.#prefix}opaque`, Buffer.from(marks.opaque ? "y" : "x"));
    }
    // Without an origin a directory that no other layer has is listed as it is, whiteouts and all
    // (ovl_get_inode); an empty one says that it is not known.
    if (marks.whiteouts && getXattr(target, `${this.#prefix}origin`) === undefined) {
      setXattr(target, `${this.#prefix}origin`, new Uint8Array());
    }
    setTimesAt(to, "", stat);
  }

  #link(place: Place, { from, name, stat }: Found): void {
    const inode = `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
    const copy = this.#copies.get(inode);
    if (copy) {
      linkAt(this.#top, copy, place.fd, name);
      return;
    }
    try {
      linkAt(from, name, place.fd, name);
    } catch (error) {
      // No more names (65,000 on ext4), another project's quota, or a file that may not be changed.
      if (!hasErrno(error, "EMLINK", "EXDEV", "EPERM")) throw error;
      copyEntry(from, place.fd, name);
      if (stat.nlink > 1) this.#copies.set(inode, pathIn(place, name));
    }
  }

  /** Whether a whiteout in this directory hides anything. A directory is looked for once, and only then. */
  #whiteoutFilter({ path, isOpen }: Place): (name: Buffer) => boolean {
    let having: readonly Layer[] | undefined;
    return (name) => {
      if (!isOpen) return false;
      having ??= this.#below.filter((layer) => isThere(layer, path));
      return having.some((layer) => isThere(layer, pathIn({ path }, name)));
    };
  }
}

const OVERLAY_XATTR = /^(?:trusted|user)\.overlay\./;
const OPAQUE = /^(?:trusted|user)\.overlay\.opaque$/;

function isThere(layer: Layer, path: Buffer): boolean {
  try {
    return layer.entry(path) !== undefined;
  } catch (error) {
    if (hasErrno(error, "ENAMETOOLONG")) return true; // too deep to be looked for: it may be
    throw error;
  }
}

function kindsOf(entries: readonly Found[]): readonly [EntryKind, ...EntryKind[]] {
  return entries.map(({ kind }) => kind) as [EntryKind, ...EntryKind[]];
}

function typeOf({ stat }: Found): number {
  return stat.mode & S_IFMT;
}

function pathIn({ path }: Pick<Place, "path">, name: Buffer): Buffer {
  return path.length === 0 ? name : Buffer.concat([path, SLASH, name]);
}

const SLASH = Buffer.from("/");

function incomplete(name: Buffer): TsrunError {
  const message = `a layer has "${name}", which is not all in that layer`;
  return new TsrunError("OVERLAY_UNSUPPORTED", message, {
    hint: "Something else than tsrun has mounted it with redirect_dir or metacopy on.",
  });
}
