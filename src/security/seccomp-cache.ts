/**
 * Compiled filters, kept: libseccomp takes some 80 ms for the default profile, which no start should pay.
 * A filter is kept in this process, and in a directory as one file that begins with its key: all that
 * it was made from, as text. The file's name is only a short hash of the key, so that looking one up
 * needs no cryptography (loading node:crypto alone costs 5 ms), and a collision cannot do harm.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { hasErrno } from "../base/errors.ts";
import { UndoStack } from "../base/undo.ts";
import { libseccompVersion } from "../ffi/index.ts";
import type { OciSeccomp } from "../spec/index.ts";
import { compileSeccomp, MAX_FILTER_BYTES } from "./compile-seccomp.ts";
import type { MachineArch } from "./seccomp-profile.ts";

/** Changes when compileSeccomp makes something else of the same profile. */
const COMPILER_VERSION = 1;

/** "tsrunbpf", the key's size and the filter's size (32 bits each), the key padded to 8, the filter. */
const MAGIC = "tsrunbpf";
const HEADER_SIZE = 16;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

const inProcess = new Map<string, Uint8Array>();

/**
 * The compiled filter of a profile. `cacheDir` is made if it is missing; a file in it counts only if
 * nobody but root and this user could have written it and its contents are whole. A cache that
 * cannot be written is no failure: the filter is then made again next time.
 * Throws what compileSeccomp throws.
 */
export function seccompFilter(
  seccomp: OciSeccomp,
  { arch, cacheDir }: { readonly arch: MachineArch; readonly cacheDir: string },
): Uint8Array {
  const ofProfile = ofProfiles.get(seccomp);
  if (ofProfile?.arch === arch) return ofProfile.filter;
  const filter = filterOfKey(cacheKey(seccomp, arch), seccomp, { arch, cacheDir });
  ofProfiles.set(seccomp, { arch, filter });
  return filter;
}

/** A profile is never changed, and writing it out as a key is what costs most. */
const ofProfiles = new WeakMap<OciSeccomp, { arch: MachineArch; filter: Uint8Array }>();

function filterOfKey(
  key: string,
  seccomp: OciSeccomp,
  { arch, cacheDir }: { readonly arch: MachineArch; readonly cacheDir: string },
): Uint8Array {
  let filter = inProcess.get(key);
  if (!filter) {
    const keyBytes = padded(Buffer.from(key));
    const names = STRIDES.map((stride) => () => fileName(keyBytes, stride));
    filter = readAny(cacheDir, names, keyBytes);
    if (!filter) {
      filter = compileSeccomp(seccomp, arch);
      writeCached(freePath(cacheDir, names), keyBytes, filter);
    }
    inProcess.set(key, filter);
  }
  return filter;
}

/**
 * A file's first name comes from every eighth word of the key, because hashing all of it costs more
 * than the rest of a look-up; only a key whose first name is taken gets its name from every word.
 */
const STRIDES = [8, 1];

type LazyName = () => string;

function readAny(
  cacheDir: string,
  names: readonly LazyName[],
  key: Uint8Array,
): Uint8Array | undefined {
  for (const name of names) {
    const path = join(cacheDir, name());
    const filter = readCached(path, key);
    if (filter || !existsSync(path)) return filter;
  }
  return undefined;
}

/** The first name that is free, or the last, whose file is then replaced. */
function freePath(cacheDir: string, names: readonly LazyName[]): string {
  const paths = names.map((name) => join(cacheDir, name()));
  return paths.find((path) => !existsSync(path)) ?? join(cacheDir, names.at(-1)?.() ?? "");
}

function cacheKey(seccomp: OciSeccomp, arch: MachineArch): string {
  const sources = [COMPILER_VERSION, installedLibseccomp(), arch, seccomp];
  try {
    return JSON.stringify(sources);
  } catch {
    // A bigint among the arguments. The function below is called for each value, so not by default.
    return JSON.stringify(sources, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  }
}

/** The key's size and an FNV-1a hash of its 32-bit words, or of every nth. */
function fileName(key: Uint8Array, stride: number): string {
  const words = new Uint32Array(key.buffer, key.byteOffset, key.length / 4);
  let hash = 0x811c_9dc5;
  for (let at = 0; at < words.length; at += stride) {
    hash = Math.imul(hash ^ (words[at] ?? 0), 0x0100_0193);
  }
  return `seccomp-${key.length}-${stride}-${(hash >>> 0).toString(16).padStart(8, "0")}.bpf`;
}

let libseccomp: string | undefined;

/**
 * The version, which is in the name that the library's link points to; loading the library to ask it
 * costs more than all the rest.
 */
function installedLibseccomp(): string {
  libseccomp ??= linkedLibseccomp() ?? libseccompVersion();
  return libseccomp;
}

function linkedLibseccomp(): string | undefined {
  const triplet = process.arch === "x64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu";
  for (const directory of [`/lib/${triplet}`, `/usr/lib/${triplet}`, "/usr/lib64", "/usr/lib"]) {
    try {
      return readlinkSync(`${directory}/libseccomp.so.2`);
    } catch (error) {
      // Not here, or a file without a version in its name.
      if (!hasErrno(error, "ENOENT", "ENOTDIR", "EINVAL")) throw error;
    }
  }
  return undefined;
}

/** undefined for a file that is missing, made from something else, or that somebody else could have written. */
function readCached(path: string, key: Uint8Array): Uint8Array | undefined {
  const fd = openIfThere(path);
  if (fd === undefined) return undefined;
  try {
    const { mode, uid, size } = fstatSync(fd);
    const isRegular = (mode & constants.S_IFMT) === constants.S_IFREG;
    const isOurs = (uid === 0 || uid === process.getuid?.()) && (mode & 0o022) === 0;
    if (!isRegular || !isOurs || size < HEADER_SIZE || size > MAX_FILE_BYTES) return undefined;
    const bytes = Buffer.alloc(size);
    return readSync(fd, bytes) === size ? filterOf(bytes, key) : undefined;
  } finally {
    closeSync(fd);
  }
}

function filterOf(file: Buffer, key: Uint8Array): Uint8Array | undefined {
  const filterAt = HEADER_SIZE + key.length;
  const filterSize = file.length - filterAt;
  const isWhole =
    file.toString("latin1", 0, MAGIC.length) === MAGIC &&
    file.readUInt32LE(8) === key.length &&
    file.readUInt32LE(12) === filterSize &&
    filterSize > 0 &&
    filterSize % 8 === 0 &&
    filterSize <= MAX_FILTER_BYTES;
  if (!isWhole || file.compare(key, 0, key.length, HEADER_SIZE, filterAt) !== 0) return undefined;
  return file.subarray(filterAt);
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES")) return undefined;
    throw error;
  }
}

function writeCached(path: string, key: Uint8Array, filter: Uint8Array): void {
  const header = Buffer.alloc(HEADER_SIZE);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(key.length, 8);
  header.writeUInt32LE(filter.length, 12);
  const temporary = `${path}.${process.pid}.tmp`;
  using undo = new UndoStack();
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(temporary, { force: true }); // of an earlier process with our pid
    // Flushed before it gets its name, so that a power cut cannot leave a file of the right size and
    // the wrong contents.
    const contents = Buffer.concat([header, key, filter]);
    undo.defer(() => rmSync(temporary, { force: true }));
    writeFileSync(temporary, contents, { mode: 0o600, flag: "wx", flush: true });
    renameSync(temporary, path);
    undo.keep();
  } catch (error) {
    if (!hasErrno(error, ...UNWRITABLE)) throw error;
  }
}

/** A cache that is read-only, full or somebody else's costs time, not the container. */
const UNWRITABLE = ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ENOTDIR", "EEXIST", "EISDIR"];

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array((bytes.length + 7) & ~7);
  whole.set(bytes);
  return whole;
}
