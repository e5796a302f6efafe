/**
 * ROOT/ID: a container's records, in runc's layout of one directory for each. The directory is made by
 * who creates the container, exclusively, and state.json is written by nobody else; whoever starts it is
 * the one who removes the FIFO. So no lock is needed between the calls, and none can be left behind.
 *
 *     state.json   what every call needs, written when the creation begins and again with the process
 *     config.json  the specification as it was read then; for exec and the hooks
 *     fast-path    what its short calls have to do, for native/fast-path
 *     exec.fifo    as long as the container waits for its start
 *     result.fifo  where a start is told that it failed
 *     notify/      where the container says that it is ready, if somebody wants to know
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFileAtomic } from "../base/atomic-file.ts";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { makeDirectories } from "../base/make-directories.ts";
import type { ProcessIdentity } from "../base/process-identity.ts";
import type { OciHooks, OciIntelRdt, OciLinux, OciProcess, OciSeccomp } from "../spec/index.ts";

export interface ContainerRecord {
  readonly version: 1;
  readonly id: string;
  readonly bootId: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Absolute path of the cgroup directory. */
  readonly cgroup: string;
  /** The systemd unit whose cgroup it is. */
  readonly unit?: string;
  readonly ownPidNamespace: boolean;
  /** Who creates it. */
  readonly creator: ProcessIdentity;
  /** Once the creation is complete. */
  readonly init?: ProcessIdentity;
  readonly hooks?: OciHooks;
  /** Its groups are to be removed with it. */
  readonly intelRdt?: OciIntelRdt;
}

/** Of a container whose creation is complete. */
export type CreatedRecord = ContainerRecord & Required<Pick<ContainerRecord, "init">>;

/** What a further process of the container begins with. */
export interface ProcessRecord {
  readonly process: OciProcess;
  readonly seccomp?: OciSeccomp;
  readonly noNewKeyring: boolean;
  /** What of `linux` a further process gets too. */
  readonly linux?: Pick<OciLinux, "personality" | "memoryPolicy">;
  /** The container has no mount namespace of its own: its root is a chroot. */
  readonly sharesMounts?: boolean;
}

export interface ContainerPaths {
  readonly dir: string;
  readonly state: string;
  readonly config: string;
  readonly fastPath: string;
  readonly execFifo: string;
  readonly resultFifo: string;
  readonly notifyDir: string;
}

/** Their names in the container's directory. */
export const EXEC_FIFO = "exec.fifo";
export const RESULT_FIFO = "result.fifo";

export function containerPaths(root: string, id: string): ContainerPaths {
  const dir = `${root}/${id}`;
  return {
    dir,
    state: `${dir}/state.json`,
    config: `${dir}/config.json`,
    fastPath: `${dir}/fast-path`,
    execFifo: `${dir}/${EXEC_FIFO}`,
    resultFifo: `${dir}/${RESULT_FIFO}`,
    notifyDir: `${dir}/notify`,
  };
}

/** runc's rule. Throws INVALID_ARGUMENT; such a name is never a path that leaves the root. */
export function checkId(id: string): string {
  if (id === "") throw new TsrunError("INVALID_ARGUMENT", "container ID cannot be empty");
  if (/^[\w+\-.]+$/.test(id) && id !== "." && id !== "..") return id;
  throw new TsrunError("INVALID_ARGUMENT", "invalid container ID format");
}

/** Takes the id. Throws NAME_IN_USE. */
export function makeContainerDirectory(root: string, id: string): ContainerPaths {
  const paths = containerPaths(root, checkId(id));
  try {
    makeDirectories(root, 0o700);
    mkdirSync(paths.dir, { mode: 0o711 });
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw storeError(paths.dir, error);
    throw new TsrunError("NAME_IN_USE", "container with given ID already exists");
  }
  return paths;
}

export function writeRecord({ state }: ContainerPaths, record: ContainerRecord): void {
  write(state, JSON.stringify(record));
}

export function writeProcessRecord({ config }: ContainerPaths, record: ProcessRecord): void {
  write(config, JSON.stringify(record));
}

/** What it says must be so already: whoever finds it does it. */
export function writeFastPath({ fastPath }: ContainerPaths, words: Uint8Array): void {
  write(fastPath, words);
}

function write(path: string, contents: string | Uint8Array): void {
  try {
    writeFileAtomic(path, contents, { mode: 0o600 });
  } catch (error) {
    throw storeError(path, error);
  }
}

/** Throws NOT_FOUND in the words that engines look for. */
export function readRecord(root: string, id: string): ContainerRecord {
  const record = findRecord(root, id);
  if (record) return record;
  throw noSuchContainer();
}

export function noSuchContainer(): TsrunError {
  return new TsrunError("NOT_FOUND", "container does not exist");
}

export function findRecord(root: string, id: string): ContainerRecord | undefined {
  return readJson(containerPaths(root, checkId(id)).state) as ContainerRecord | undefined;
}

export function readProcessRecord(root: string, id: string): ProcessRecord {
  const record = readJson(containerPaths(root, id).config);
  if (record === undefined) throw noSuchContainer();
  return record as ProcessRecord;
}

/** Every container's id; other people's files are none. */
export function readIds(root: string): readonly string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw storeError(root, error);
  }
}

export function removeRecords(root: string, id: string): void {
  const { dir } = containerPaths(root, checkId(id));
  try {
    rmSync(dir, { recursive: true, force: true });
  } catch (error) {
    throw storeError(dir, error);
  }
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw storeError(path, error);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TsrunError("STORE_UNAVAILABLE", `the record "${path}" is damaged`, { cause });
  }
}

function storeError(path: string, cause: unknown): TsrunError {
  const reason = (cause as Error).message;
  return new TsrunError("STORE_UNAVAILABLE", `cannot use "${path}": ${reason}`, { cause });
}
